"""Servers, contenders and meters for speed and rate. Imports the library, is never imported by it, never shipped."""
