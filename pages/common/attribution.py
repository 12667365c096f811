"""Which words moved the number."""
def attribution(model, title, conversation):
    return False
