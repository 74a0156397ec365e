"""The guide: one page that explains every method. A method's page is one file in pages/; what was measured and drawn lies in data/.

data/ is written by benchmarks/guide_pictures.py. Sees files, never tensors.
"""
