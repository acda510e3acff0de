"""The command ``bytebuddy-hf``: prints, asks, draws; decides nothing."""
