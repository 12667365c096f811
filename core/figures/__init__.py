"""Figures: a result in, Plotly figures out. No computation, no Streamlit."""
