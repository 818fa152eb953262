"""The frozen values of the method: prompts, rubrics and preferences."""
