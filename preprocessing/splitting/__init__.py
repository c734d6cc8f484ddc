"""A split of objects in which models that nearly equal each other stay on one side.

near_duplicates.py   which objects are variants of one model
group_split.py       groups of objects -> training, validation and test
"""
