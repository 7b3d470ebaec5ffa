package export

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// The descriptions that TensorFlow Datasets (4.9) reads beside record files, so that
// tfds.builder_from_directory(DIR) knows splits, features and names of classes. They are the JSON of
// its protobuf messages DatasetInfo and Feature, in which 64-bit numbers are texts.

// tfdsVersion is of the data set, which has none of its own; the digest in export.json is what
// tells one from another.
const tfdsVersion = "1.0.0"

// Finish writes dataset_info.json, features.json and the names of classes.
func (t *tfRecord) Finish(f *Finished, out *Output) error {
	labels := classNames(f.Classes)
	if labels != nil {
		// Named after the feature, image/class/label.
		if err := out.WriteFile("image-class-label.labels.txt", []byte(strings.Join(labels, "\n")+"\n")); err != nil {
			return err
		}
	}
	if err := writeJSON(out, "features.json", t.describe(f)); err != nil {
		return err
	}
	type object = map[string]any
	splits := []object{}
	for _, p := range f.Parts {
		if p.Count == 0 {
			continue
		}
		lengths, size := []string{}, int64(0)
		for _, piece := range f.Pieces[p.Name] {
			lengths = append(lengths, strconv.Itoa(piece.Samples))
			for _, file := range piece.Files {
				size += file.Bytes
			}
		}
		splits = append(splits, object{
			"name": safeName(p.Name), "shardLengths": lengths, "numBytes": strconv.FormatInt(size, 10),
			"filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
		})
	}
	return writeJSON(out, "dataset_info.json", object{
		"name": f.Name, "version": tfdsVersion, "fileFormat": "tfrecord", "splits": splits,
		"description": fmt.Sprintf("Faces, exported by vf2prep: %s.", originText(f.Origin)),
	})
}

// originText says in a line what an export was made of.
func originText(origin map[string]string) string {
	if origin["kind"] == "photos" {
		return fmt.Sprintf("photos of manifest %s, split %s", origin["manifest"], origin["split"])
	}
	return fmt.Sprintf("shards %s, recipe %s", origin["shards"], origin["recipe"])
}

// classNames returns the names as lines, or nil where they can't be: the file that they are kept in
// has no place for empty ones, equal ones or spaces about them.
func classNames(classes []string) (names []string) {
	seen := map[string]bool{"": true}
	for _, c := range classes {
		name := oneLine(c)
		if seen[name] || strings.TrimSpace(name) != name {
			return nil
		}
		seen[name] = true
		names = append(names, name)
	}
	return names
}

func writeJSON(out *Output, name string, v any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return err
	}
	return out.WriteFile(name, b.Bytes())
}

// describe returns the features: nested by the slashes in their names.
func (t *tfRecord) describe(f *Finished) any {
	type object = map[string]any
	const module = "tensorflow_datasets.core.features."
	dict := func(features object) object {
		return object{"pythonClassName": module + "features_dict.FeaturesDict", "featuresDict": object{"features": features}}
	}
	dimensions := func(sizes ...int) object {
		texts := []string{}
		for _, n := range sizes {
			texts = append(texts, strconv.Itoa(n))
		}
		if len(texts) == 0 {
			return object{}
		}
		return object{"dimensions": texts}
	}
	tensor := func(dtype string, sizes ...int) object {
		return object{"pythonClassName": module + "tensor_feature.Tensor", "tensor": object{"dtype": dtype, "encoding": "none", "shape": dimensions(sizes...)}}
	}
	text := object{"pythonClassName": module + "text_feature.Text", "text": object{}}
	label := tensor("int64")
	if n := len(f.Classes); n > 0 {
		label = object{"pythonClassName": module + "class_label_feature.ClassLabel", "classLabel": object{"numClasses": strconv.Itoa(n)}}
	}
	format := "png"
	if f.Ext == "jpg" {
		format = "jpeg"
	}
	shape := dimensions(-1, -1, 3) // each its own
	if s := f.Shape; s[0] > 0 {
		shape = dimensions(s[1], s[2], s[0])
	}
	face := object{"age": tensor("float32"), "gender": tensor("int64"), "landmarks": tensor("float32", 5, 2)}
	if t.boxes {
		face["box"] = tensor("float32", 4)
	}
	return dict(object{
		"image": dict(object{
			"encoded": object{"pythonClassName": module + "image_feature.Image", "image": object{"dtype": "uint8", "encodingFormat": format, "shape": shape}},
			"format":  text, "height": tensor("int64"), "width": tensor("int64"), "source_id": text,
			"key":   dict(object{"sha256": text}),
			"class": dict(object{"label": label, "text": text}),
		}),
		"face": dict(face),
	})
}
