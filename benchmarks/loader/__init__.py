"""How fast does the store's stream give rows, beside what people load with today?"""
