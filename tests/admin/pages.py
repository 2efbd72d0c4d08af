"""The admin's addresses, and what is done there."""


def url(row, view="change"):
    """The page of a row."""
    return f"{listing(type(row))}{row.pk}/{view}/"


def listing(model):
    """The list of a model."""
    return f"/admin/{model._meta.app_label}/{model._meta.model_name}/"


def act(client, model, action, *rows, **extra):
    """Do an action to the selected rows of a list, and go where that leads."""
    selected = {"action": action, "_selected_action": [row.pk for row in rows]}
    return client.post(listing(model), selected | extra, follow=True)
