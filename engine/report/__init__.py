"""A store and training runs → one HTML page: `answers` asks, `plots` draw, `rows` and `tiles` show, `page` writes."""
