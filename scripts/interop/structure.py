"""What two HDF5 files have in common beyond their numbers: the objects, their order, and the exact types of their attributes."""
import subprocess

import h5py


def describe_type(kind):
    text = h5py.check_string_dtype(kind.dtype)
    if text is None:
        return str(kind.dtype)
    charset = {h5py.h5t.CSET_ASCII: "ASCII", h5py.h5t.CSET_UTF8: "UTF-8"}[kind.get_cset()]
    return f"{charset} string of {text.length or 'any length'}"


def describe_attributes(item):
    """Name → shape, type, and the names in lists of names."""
    result = {}
    for name in item.attrs:
        attribute = h5py.h5a.open(item.id, name.encode())
        names = list(map(str, item.attrs[name].tolist())) if name.endswith("_names") else None
        result[name] = (attribute.shape, describe_type(attribute.get_type()), names)
    return result


def optimizer_scope(path):
    """"Adam" of optimizer_weights/Adam/m/...: tf.keras leaves it out where it saves a model that it loaded and did not train."""
    with h5py.File(path, "r") as file:
        groups = list(file.get("optimizer_weights", {}))
        groups = [name for name in groups if isinstance(file["optimizer_weights"][name], h5py.Group)]
    return groups[0] if len(groups) == 1 and groups[0][0].isupper() else None


def describe(path):
    """Name → what it is, in the order in which h5py lists the objects; without the scope of the optimizer's variables."""
    found = {}
    scope = optimizer_scope(path)
    with h5py.File(path, "r") as file:
        found["/"] = (("group",), describe_attributes(file))

        def visit(name, item):
            what = ("group",) if isinstance(item, h5py.Group) else (item.shape, str(item.dtype), item.chunks, item.compression)
            attributes = describe_attributes(item)
            if scope and name.startswith("optimizer_weights"):
                if name == f"optimizer_weights/{scope}":
                    return
                name = name.replace(f"optimizer_weights/{scope}/", "optimizer_weights/")
                attributes = {key: (*value[:2], [without(text, scope) for text in value[2]]) for key, value in attributes.items()}
            found[name] = (what, attributes)

        file.visititems(visit)
    return found


def without(text, scope):
    return text[len(scope) + 1 :] if text.startswith(scope + "/") else text


def differences(ours, theirs):
    for name in sorted(ours.keys() ^ theirs.keys()):
        yield f"{name} is only in {'ours' if name in ours else 'theirs'}"
    for name in ours.keys() & theirs.keys():
        (what, attributes), (their_what, their_attributes) = ours[name], theirs[name]
        if what != their_what:
            yield f"{name}: {what}, theirs {their_what}"
        for key in sorted(attributes.keys() | their_attributes.keys()):
            if attributes.get(key) != their_attributes.get(key):
                yield f"{name}@{key}: {attributes.get(key)}, theirs {their_attributes.get(key)}"
    ours, theirs = ([name for name in tree if not name.startswith("optimizer_weights")] for tree in (ours, theirs))
    if set(ours) == set(theirs) and ours != theirs:
        yield "the objects' order differs"


def compare_structure(path, other):
    """The first differences between the structures of two files, or None."""
    found = list(differences(describe(path), describe(other)))
    return None if not found else "; ".join(found[:4]) + (f"; and {len(found) - 4} more" if len(found) > 4 else "")


def uncompared(path):
    """Objects whose attributes h5diff leaves out: the writer's name, configurations, and the names of layers inside layers, which each
    program counts up anew, on loading, too."""
    found = ["/", "/model_weights", "/optimizer_weights"]

    def visit(name, item):
        if "name" in item.attrs and not (name.startswith("layers/") and name.count("/") == 2):
            found.append(f"/{name}")

    with h5py.File(path, "r") as file:
        file.visititems(visit)
    return found


def compared_objects(path, scope):
    """What to compare: all, or the groups where the optimizer's variables are below a scope in the first file."""
    if not scope:
        return [()]
    with h5py.File(path, "r") as file:
        slots = list(file[f"optimizer_weights/{scope}"])
    names = [(f"/optimizer_weights/{scope}/{slot}", f"/optimizer_weights/{slot}") for slot in slots]
    return names + [("/model_weights",), ("/optimizer_weights/iteration:0",)]


def h5diff(path, other):
    """What h5diff finds, but for some attributes; None for nothing."""
    left_out = [f"--exclude-attribute={name}" for name in uncompared(path)]
    for objects in compared_objects(path, optimizer_scope(path)):
        command = ["h5diff", *left_out, path, other, *objects]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            return " ".join(done.stdout.split())[:300] or f"code {done.returncode}"
    return None
