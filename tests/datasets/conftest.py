def contents(x):
    return [row.tobytes() for row in x]
