"""A store's rows and soft labels → files of other programs: Parquet, WebDataset tars, Hugging Face data sets."""
