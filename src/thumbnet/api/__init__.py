"""The Python API: the steps of the command line as plain calls, for notebooks and programs.

    import thumbnet

    data = thumbnet.pack_data("digits", "digits")
    recipe = thumbnet.make_recipe("demo", {"phases.0.length": "4 epochs"})
    run = thumbnet.train_recipe(recipe, data, "runs/first")
    print(thumbnet.evaluate_run(run).top1)

Every error that the caller can mend is a `thumbnet.ThumbnetError` with one line that says what to do.
"""
