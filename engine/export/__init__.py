"""A trained model → a folder that others serve: see `engine.export.onnx`."""
