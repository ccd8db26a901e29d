"""A classifier → ONNX files, checked against the model, in the folder that other servers read.

Of the packages of the extra ``onnx`` nothing is imported before an export begins.
"""
