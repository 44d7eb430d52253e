"""What comes next in a session of operations, which earlier events that rests on, and how-tos drafted from it."""
