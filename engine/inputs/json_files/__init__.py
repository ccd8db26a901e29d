"""JSON in every layout that people have it in → raw blocks: lines, arrays, objects that hold one, annotated tasks."""
