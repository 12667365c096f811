"""Parts of the other rewards page: implicit, process and rubric rewards."""
