"""Studies of synthetic tables that no family of models owns: does it help to add them to the real rows?"""
