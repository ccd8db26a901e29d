"""A store, or a trained model → files of other programs: Parquet, WebDataset, Hugging Face data sets, ONNX."""
