"""Input files → checked rows: `formats` reads them raw, `checks` judges every row, `survey` and `gold` use them."""
