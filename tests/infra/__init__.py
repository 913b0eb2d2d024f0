"""Tests of the deployment templates; nothing is deployed."""
