"""x"""
import streamlit as st
def share_button(): st.button("Share",icon=":material/link:")
def open_shared_link(): pass
def export(models): return False
