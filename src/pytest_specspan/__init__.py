"""Plug-in of pytest, outside the package it records with."""
