"""Rows as known programs write them: chats, bulk lines of Elasticsearch, exports of annotation tools → jq programs."""
