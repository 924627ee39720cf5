"""Core ML: conversion, calibration and INT8, and an evaluator of saved packages (``mil/``)."""
