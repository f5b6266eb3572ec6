"""What pyproject.toml cannot say: the folder weights/ is installed as a package beside those that are found."""

from setuptools import find_packages, setup

setup(
    packages=[*find_packages(include=['daefr_arch', 'daefr_arch.*']), 'daefr_arch.weights'],
    package_dir={'daefr_arch.weights': 'weights'},
)
