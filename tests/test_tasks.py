"""The tasks against sources of their own: scikit-learn, a naive ListOps, folders made here, damaged files."""
import hashlib
import itertools
import random
import re
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurrent_lab.tasks import corpus, digits, induction_heads, listops, lra, selective_copying, text

DATA = Path(__file__).parents[1] / "data"


def test_importing_the_tasks_is_light():
    heavy = "{'pandas', 'PIL', 'matplotlib', 'sklearn', 'IPython', 'nbdev'}"
    code = f"import sys, recurrent_lab.tasks; print(*{heavy} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split() == []


# --- digits


def test_digits_are_those_of_scikit_learn():
    theirs = pytest.importorskip("sklearn.datasets").load_digits()
    with np.load(DATA / "digits.npz", allow_pickle=False) as ours:
        np.testing.assert_array_equal(ours["images"], theirs.images)
        np.testing.assert_array_equal(ours["labels"], theirs.target)


def test_the_digits_file_is_the_one_its_readme_describes():
    assert hashlib.sha256((DATA / "digits.npz").read_bytes()).hexdigest() in (DATA / "digits.README.md").read_text()


def test_the_split_is_a_partition():
    with np.load(DATA / "digits.npz", allow_pickle=False) as f:
        whole = sorted(x.tobytes() + y.tobytes() for x, y in zip(f["images"], f["labels"]))
    d = digits.load()
    parts = [*zip(np.asarray(d.train_x), np.asarray(d.train_y)), *zip(np.asarray(d.test_x), np.asarray(d.test_y))]
    assert sorted(x.tobytes() + np.uint8(y).tobytes() for x, y in parts) == whole


@pytest.mark.parametrize("content", ["text", "truncated", "pickle", "shape", "keys", "array"])
def test_a_file_that_is_not_the_digits_is_refused(tmp_path, content):
    path = tmp_path / "digits.npz"
    with pytest.raises(FileNotFoundError, match="digits.README.md"):
        digits.load(path)
    good = dict(images=np.zeros((1797, 8, 8), np.uint8), labels=np.zeros(1797, np.uint8))
    match content:
        case "text": path.write_text("not a zip file")
        case "truncated": path.write_bytes((DATA / "digits.npz").read_bytes()[:-1000])
        case "pickle": np.savez(path, **good | dict(labels=np.array([0] * 1796 + [None])))
        case "shape": np.savez(path, **good | dict(images=np.zeros((1797, 64), np.uint8)))
        case "keys": np.savez(path, images=good["images"])
        case "array":
            with open(path, "wb") as f:
                np.save(f, good["images"])
    with pytest.raises(ValueError, match=re.escape(str(path))):
        digits.load(path)


# --- ListOps: a tree is a digit or (operator, [trees])

OPERATORS = {
    "MIN": lambda v: sorted(v)[0],
    "MAX": lambda v: sorted(v)[-1],
    "MED": lambda v: (sorted(v)[(len(v) - 1) // 2] + sorted(v)[len(v) // 2]) // 2,
    "SM": lambda v: int(str(sum(v))[-1]),
}


def value(tree):
    return tree if isinstance(tree, int) else OPERATORS[tree[0]]([value(t) for t in tree[1]])


def written(tree):
    return str(tree) if isinstance(tree, int) else f"[{tree[0]} {' '.join(map(written, tree[1]))} ]"


def written_with_parentheses(tree):
    "As in Long Range Arena's files: a list is a chain of applications, each in parentheses."
    if isinstance(tree, int):
        return str(tree)
    text = f"[{tree[0]}"
    for argument in [*map(written_with_parentheses, tree[1]), "]"]:
        text = f"( {text} {argument} )"
    return text


def parsed(words):
    "The tree that an iterator of words spells, by recursive descent."
    word = next(words)
    if word.isdigit():
        return int(word)
    children = []
    for head in words:
        if head == "]":
            return word[1:], children
        children.append(parsed(itertools.chain([head], words)))


def depth(tree):
    return 1 if isinstance(tree, int) else 1 + max(map(depth, tree[1]))


def lists(tree):
    return [] if isinstance(tree, int) else [tree, *(x for t in tree[1] for x in lists(t))]


trees = st.recursive(
    st.integers(0, 9), lambda t: st.tuples(st.sampled_from(sorted(OPERATORS)), st.lists(t, min_size=2, max_size=10)), max_leaves=60
)


@settings(deadline=None)
@given(trees)
def test_an_expression_survives_the_tokens_and_comes_to_its_value(tree):
    tokens = listops.encode(written(tree))
    assert listops.decode(tokens) == written(tree)
    assert listops.evaluate(written(tree)) == value(tree)
    np.testing.assert_array_equal(listops.encode(written_with_parentheses(tree)), tokens)
    assert listops.evaluate(written_with_parentheses(tree)) == value(tree)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1), st.integers(0, 20), st.integers(2, 80), st.integers(2, 7), st.integers(2, 10))
def test_generated_expressions_obey_their_settings(seed, min_length, span, max_depth, max_args):
    max_length = min_length + span
    try:
        data = listops.generate(30, min_length=min_length, max_length=max_length, max_depth=max_depth, max_args=max_args, key=jax.random.key(seed))
    except ValueError as e:
        assert "change one" in str(e)  # the lengths are out of reach
        return
    for tokens, label in zip(*data):
        line = listops.decode(tokens)
        tree = parsed(iter(line.split()))
        assert written(tree) == line and value(tree) == label
        assert min_length < len(line.split()) < max_length
        assert depth(tree) <= max_depth and all(2 <= len(t[1]) <= max_args for t in lists(tree))


def test_the_distribution_is_that_of_growing_one_tree_at_a_time():
    draw = random.Random(0)

    def tree(level=1):
        if level == 10 or draw.random() > 0.25:
            return draw.randrange(10)
        children = [tree(level + 1) for _ in range(draw.randint(2, 10))]
        return draw.choice(sorted(OPERATORS)), children

    naive = [t for t in (tree() for _ in range(12_000)) if 10 < len(written(t).split()) < 400]
    fast = listops.generate(len(naive), min_length=10, max_length=400, key=jax.random.key(0))
    n = len(naive)
    kept = len(listops._grow(12_000, 10, 400, 10, 10, np.random.default_rng(0))[0][0])
    assert n > 500 and abs(kept - n) < 5 * (kept + n) ** 0.5
    lengths = [len(written(t).split()) for t in naive], fast.mask.sum(1)
    assert abs(np.mean(lengths[0]) - np.mean(lengths[1])) < 5 * np.std(lengths[0]) * (2 / n) ** 0.5
    counts = np.bincount([value(t) for t in naive], minlength=10), np.bincount(fast.labels, minlength=10)
    assert np.all(abs(counts[0] - counts[1]) < 5 * (counts[0] + counts[1]) ** 0.5)
    operators = [sum(len(lists(t)) for t in naive) / sum(lengths[0]), np.isin(fast.tokens, [1, 2, 3, 4]).sum() / fast.mask.sum()]
    assert abs(operators[0] - operators[1]) < 0.01


@pytest.mark.parametrize("bad", ["", "[MAX ]", "[MAX 1 2", "1 2", "1 ]", "[MAX 1 2 ] ]", "[FIRST 1 2 ]", "[MAX 10 2 ]"])
def test_what_is_no_expression_has_no_value(bad):
    with pytest.raises(ValueError):
        listops.evaluate(bad)


@pytest.mark.parametrize("wrong", [dict(max_args=1), dict(max_depth=0), dict(min_length=10, max_length=11), dict(max_depth=1)])
def test_settings_without_expressions_are_refused(wrong):
    with pytest.raises(ValueError, match="max_depth"):
        listops.generate(1, key=jax.random.key(0), **wrong)


@settings(deadline=None, max_examples=20)
@given(st.lists(trees, min_size=1, max_size=5))
def test_long_range_arena_tables_load_to_the_same_arrays(tmp_path_factory, some):
    folder = tmp_path_factory.mktemp("listops")
    table = "Source\tTarget\r\n" + "".join(f"{written_with_parentheses(t)}\t{value(t)}\r\n" for t in some)
    (folder / "basic_val.tsv").write_bytes(table.encode())
    data, padded = listops.read(folder / "basic_val.tsv"), lra.listops(folder, "valid")
    assert [listops.decode(row) for row in data.tokens] == [written(t) for t in some]
    assert data.labels.tolist() == [value(t) for t in some]
    assert data.mask.sum(1).max() == data.tokens.shape[1]
    assert padded.tokens.shape == (len(some), 2000) and not padded.mask[:, data.tokens.shape[1] :].any()


@pytest.mark.parametrize(
    "table, line",
    [("", 1), ("a\tb\n", 1), ("Source\tTarget\n[MAX 1 2 ]\n", 2), ("Source\tTarget\n[MAX 1 2 ]\t2\n[MAX 1 2 ]\t12\n", 3), ("Source\tTarget\n[NO 1 2 ]\t2\n", 2)],
)
def test_a_damaged_table_names_its_line(tmp_path, table, line):
    with pytest.raises(FileNotFoundError, match="lra_release"):
        lra.listops(tmp_path)
    (tmp_path / "basic_train.tsv").write_text(table)
    with pytest.raises(ValueError, match=f"basic_train.tsv, line {line}"):
        lra.listops(tmp_path)


def test_a_table_longer_than_its_padding_is_refused(tmp_path):
    (tmp_path / "t.tsv").write_text("Source\tTarget\n[MAX 1 2 ]\t2\n")
    with pytest.raises(ValueError, match="4 tokens"):
        listops.read(tmp_path / "t.tsv", 3)


# --- the other folders of Long Range Arena


@pytest.mark.parametrize("load", [lra.listops, lra.text, lra.retrieval, lra.cifar10])
def test_an_unknown_split_is_told_the_allowed_ones(tmp_path, load):
    with pytest.raises(ValueError, match="'holdout' is unknown: allowed are train, "):
        load(tmp_path, "holdout")


@pytest.mark.parametrize("load, source", [(lra.text, "aclImdb"), (lra.retrieval, "lra_release"), (lra.cifar10, "cifar.html"), (lra.pathfinder, "lra_release")])
def test_an_empty_folder_is_told_what_belongs_there(tmp_path, load, source):
    with pytest.raises(FileNotFoundError, match=f"(?s){re.escape(str(tmp_path))}.*https://.*{source}"):
        load(tmp_path)


def test_reviews_that_are_missing_on_one_side(tmp_path):
    (tmp_path / "train/neg").mkdir(parents=True)
    (tmp_path / "train/neg/0_1.txt").write_bytes(bytes(range(256)))
    with pytest.raises(FileNotFoundError, match="pos"):
        lra.text(tmp_path)
    (tmp_path / "train/pos").mkdir()
    with pytest.raises(FileNotFoundError, match="pos"):
        lra.text(tmp_path)
    (tmp_path / "train/pos/0_9.txt").write_bytes(b"")
    data = lra.text(tmp_path, length=300)
    assert data.tokens[0].tolist() == [*range(1, 257)] + [0] * 44 and data.labels.tolist() == [0, 1]  # every byte has its token
    assert data.mask.sum(1).tolist() == [256, 0]


@pytest.mark.parametrize("line", ["1\ta\tb\tonly one text", "2\ta\tb\tx\ty", "label\tid1\tid2\ttext1\ttext2", ""])
def test_a_damaged_table_of_pairs_names_its_line(tmp_path, line):
    (tmp_path / "new_aan_pairs.eval.tsv").write_text(f"1\ta\tb\tx\ty\n{line}\n")
    with pytest.raises(ValueError, match="new_aan_pairs.eval.tsv, line 2"):
        lra.retrieval(tmp_path, "valid")


def test_cifar10_reads_the_five_batches_in_order(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 2, 3, 32, 32), np.uint8)
    for i, batch in enumerate(pixels):
        (tmp_path / f"data_batch_{i + 1}.bin").write_bytes(b"".join(bytes([i]) + image.tobytes() for image in batch))
    images, labels = lra.cifar10(tmp_path)
    np.testing.assert_array_equal(images, pixels.reshape(10, 3, 32, 32).transpose(0, 2, 3, 1))
    assert labels.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    np.testing.assert_allclose(lra.grey(images)[3, 1, 2], [0.2989, 0.5870, 0.1140] @ images[3, 1, 2], rtol=1e-5)


@pytest.mark.parametrize("content", [b"", b"\x00" * 3072, b"\x0a" + b"\x00" * 3072])
def test_a_damaged_batch_is_named(tmp_path, content):
    (tmp_path / "test_batch.bin").write_bytes(content)
    with pytest.raises(ValueError, match="test_batch.bin"):
        lra.cifar10(tmp_path, "test")


def pathfinder(folder, lines="imgs/0 a.png 0 1\nimgs/0 b.png 1 0\n", **pngs):
    from PIL import Image

    (folder / "metadata").mkdir()
    (folder / "imgs/0").mkdir(parents=True)
    (folder / "metadata/0.npy").write_bytes(lines if isinstance(lines, bytes) else lines.encode())
    for name, content in (dict(a=8, b=8) | pngs).items():
        path = folder / f"imgs/0/{name}.png"
        Image.new("L", (content, content)).save(path) if isinstance(content, int) else path.write_bytes(content)


def test_pathfinder_follows_its_lists_in_numerical_order(tmp_path):
    pathfinder(tmp_path)
    for number, label in ((10, 1), (2, 0)):
        (tmp_path / f"metadata/{number}.npy").write_text(f"imgs/0 a.png 0 {label} 1.8 14 0.8\n")
    assert lra.pathfinder(tmp_path).labels.tolist() == [1, 0, 0, 1]  # lists 0, 2, 10


@pytest.mark.parametrize(
    "damage, error, names",
    [
        (dict(b=b""), ValueError, "b.png"),
        (dict(b=b"\x89PNG\r\n\x1a\n broken"), ValueError, "b.png"),
        (dict(b=9), ValueError, "b.png"),
        (dict(lines="imgs/0 c.png 0 1\n"), FileNotFoundError, "c.png"),
        (dict(lines="imgs/0 a.png 0 1\nimgs/0 b.png 1 2\n"), ValueError, "0.npy, line 2"),
        (dict(lines=b"\x93NUMPY\x01\x00v\x00"), ValueError, "0.npy, line 1"),
    ],
)
def test_a_damaged_pathfinder_folder_is_named(tmp_path, damage, error, names):
    pathfinder(tmp_path, **damage)
    with pytest.raises(error, match=names):
        lra.pathfinder(tmp_path)


# --- text


def test_missing_and_empty_text_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        text.load(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"matches '\*\*/\*\.txt'"):
        text.load(tmp_path)
    (tmp_path / "a.txt").touch()
    with pytest.raises(ValueError, match="empty"):
        text.load(tmp_path)


def test_folders_are_read_in_the_order_of_their_paths(tmp_path):
    for name in ("b/2.py", "a/9.py", "a/1.py", "a/0.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    assert bytes(text.load(tmp_path, "**/*.py")) == b"a/1.pya/9.pyb/2.py"


def test_windows_longer_than_the_text_and_shares_outside_0_to_1_are_refused():
    data = np.arange(5, dtype=np.uint8)
    assert (text.windows(data, 3, 5, key=jax.random.key(0)) == data).all()
    with pytest.raises(ValueError, match="length=6"):
        text.windows(data, 3, 6, key=jax.random.key(0))
    with pytest.raises(ValueError, match="valid=1"):
        text.split(data, 1)


# --- selective copying, induction heads


@pytest.mark.parametrize("wrong", [dict(length=31), dict(length=64, items=0), dict(length=64, vocab=3)])
def test_selective_copying_without_room_is_refused(wrong):
    with pytest.raises(ValueError, match="length >= 2"):
        selective_copying.batch(1, **wrong, key=jax.random.key(0))


@pytest.mark.parametrize("wrong", [dict(length=2), dict(length=64, vocab=2)])
def test_induction_heads_without_room_is_refused(wrong):
    with pytest.raises(ValueError, match="at least three"):
        induction_heads.batch(1, **wrong, key=jax.random.key(0))


# --- the corpus


def test_the_corpus_is_the_same_every_time_and_has_no_tests_in_it():
    one, two = corpus.load(), corpus.load()
    assert one.train_files == two.train_files and one.test_files == two.test_files
    assert (one.train == two.train).all() and (one.test == two.test).all()
    for file in one.train_files + one.test_files:
        assert file.suffix == ".py" and "test" not in str(file).split("site-packages")[-1]


def test_the_corpus_is_of_what_the_lab_needs_but_pandas():
    project = (Path(__file__).parents[1] / "pyproject.toml").read_text()
    needed = re.findall(r'"(\w+)>=', re.search(r"^dependencies = (.*)$", project, flags=re.M)[1])
    assert sorted(needed) == sorted([*corpus.PACKAGES, "pandas"])     # with pandas in it every number on bytes would be another


def test_what_is_no_text_or_too_short_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        corpus.load(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"matches '\*\*/\*.txt'"):
        corpus.load(tmp_path)
    (tmp_path / "a.txt").write_text("short")
    with pytest.raises(ValueError, match="too short: 5 bytes to learn from and 0 held out"):
        corpus.load(tmp_path)
    for content in (b"\xff\xfe", b"zero \0"):
        (tmp_path / "b.txt").write_bytes(content)
        with pytest.raises(ValueError, match="b.txt is no text"):
            corpus.load(tmp_path)
    with pytest.raises(ValueError, match="every=1"):
        corpus.load(tmp_path, every=1)
    with pytest.raises(ValueError, match="the data has only 5 bytes"):
        corpus.batch(np.zeros(5, np.uint8), 1, 5, key=jax.random.key(0))


def test_counting_agrees_with_a_naive_count():
    rng = np.random.default_rng(0)
    text = corpus.Corpus(rng.integers(0, 5, 300, np.uint8), rng.integers(0, 6, 50, np.uint8), (), ())
    for order in (0, 1, 2):
        loss = 0.0
        for i in range(order, 50):
            before = bytes(text.test[i - order : i])
            seen = [text.train[j] for j in range(order, 300) if bytes(text.train[j - order : j]) == before]
            loss -= np.log((sum(b == text.test[i] for b in seen) + 1) / (len(seen) + 256)) / (50 - order)
        assert np.isclose(corpus.ngram_loss(text, order), loss)
    with pytest.raises(ValueError, match="order=3"):
        corpus.ngram_loss(text, 3)
