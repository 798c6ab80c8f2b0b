"""Small data sets as TensorFlow Datasets prepares them, written record by record without TensorFlow."""

import io
import json
from pathlib import Path

import numpy as np
from PIL import Image


def png(image: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).save(buffer, "PNG")
    return buffer.getvalue()


def write(root, splits, shape=(6, 5, 3), features=None, name="tiny", file_format="array_record", version="1.0.0"):
    """A prepared data set, as TFDS lays it out, without TensorFlow. `splits`: {name: (images, labels or None)}."""
    import tensorflow_datasets
    from array_record.python import array_record_module
    from tensorflow_datasets.core.example_serializer import ExampleSerializer

    kinds = tensorflow_datasets.features
    labelled = next(iter(splits.values()))[1] is not None
    features = features or kinds.FeaturesDict(
        {"image": kinds.Image(shape=shape), **({"label": kinds.ClassLabel(num_classes=4)} if labelled else {})}
    )
    folder = Path(root) / name / version
    folder.mkdir(parents=True)
    serializer = ExampleSerializer(features.get_serialized_info())
    described = []
    for split, (pictures, labels) in splits.items():
        path = folder / f"{name.partition('/')[0]}-{split}.array_record-00000-of-00001"
        writer = array_record_module.ArrayRecordWriter(str(path), "group_size:1")
        for i, image in enumerate(pictures):
            extra = {key: 0 if key == "other" else png(image) for key in features if key not in ("image", "label")}
            example = {"image": png(image), **extra, **({"label": int(labels[i])} if labels is not None else {})}
            writer.write(serializer.serialize_example({key: example[key] for key in features}))
        writer.close()
        lengths = [str(len(pictures))]
        template = "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"
        described.append({"name": split, "filepathTemplate": template, "numBytes": "1", "shardLengths": lengths})
    info = {"name": name.partition("/")[0], "version": version, "fileFormat": file_format, "splits": described}
    if "/" in name:
        info["configName"] = name.partition("/")[2]
    (folder / "dataset_info.json").write_text(json.dumps(info))
    features.save_config(str(folder))
    return folder


def examples(count, shape=(6, 5, 3), seed=0):
    random = np.random.RandomState(seed)
    return random.randint(0, 256, (count, *shape)).astype(np.uint8), random.randint(0, 4, count)
