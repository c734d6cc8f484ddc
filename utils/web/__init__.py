"""The page of eval/web_demo.py."""
