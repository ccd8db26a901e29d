"""The format of a store on disk: small files, records, shards and the rules that tie them together."""
