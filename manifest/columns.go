package manifest

import (
	"math"
	"reflect"
	"unsafe"

	"github.com/parquet-go/parquet-go"

	"github.com/vf2prep/vf2prep/face"
)

// A column is one leaf of the Parquet schema: how a record becomes a value and back. An absent
// value is the zero parquet.Value, null.
type column struct {
	name     string
	typ      reflect.Type
	options  string // of the struct tag after the name
	required bool   // can't be null
	put      func(r *Record, name string) parquet.Value
	get      func(r *Record, v parquet.Value, in *interner)
}

const (
	problemsColumn = "problems"
	attrPrefix     = "attr_"
)

var (
	stringType = reflect.TypeFor[string]()
	int32Type  = reflect.TypeFor[int32]()
	int64Type  = reflect.TypeFor[int64]()
	uint64Type = reflect.TypeFor[uint64]()
	floatType  = reflect.TypeFor[float32]()
	boolType   = reflect.TypeFor[bool]()
)

// columns lists the schema in the order of the file; problems, a list, comes last and is handled
// apart. docs/manifest-format.md is its twin.
func columns(attributes []string) []column {
	cols := []column{
		{"name_id", stringType, ",plain", true,
			func(r *Record, _ string) parquet.Value { return text(r.ID.String()) },
			nil},
		{"identity", stringType, ",dict", true,
			func(r *Record, _ string) parquet.Value { return text(r.ID.Identity) },
			func(r *Record, v parquet.Value, in *interner) { r.ID.Identity = in.text(v) }},
		{"name", stringType, ",optional,dict", false,
			func(_ *Record, name string) parquet.Value { return optional(name) },
			nil},
		{"image", int32Type, "", true,
			func(r *Record, _ string) parquet.Value { return parquet.Int32Value(r.ID.Image) },
			func(r *Record, v parquet.Value, _ *interner) { r.ID.Image = v.Int32() }},
		{"face", int32Type, "", true,
			func(r *Record, _ string) parquet.Value { return parquet.Int32Value(r.ID.Face) },
			func(r *Record, v parquet.Value, _ *interner) { r.ID.Face = v.Int32() }},
		{"subset", stringType, ",dict", true,
			func(r *Record, _ string) parquet.Value { return text(string(r.Subset)) },
			func(r *Record, v parquet.Value, in *interner) { r.Subset = Subset(in.text(v)) }},
		{"path", stringType, ",plain", true,
			func(r *Record, _ string) parquet.Value { return text(r.Path) },
			func(r *Record, v parquet.Value, _ *interner) { r.Path = string(v.ByteArray()) }},
		{"bytes", int64Type, ",optional", false,
			func(r *Record, _ string) parquet.Value {
				if r.Bytes == 0 && !r.Has(ZeroByte) {
					return parquet.Value{}
				}
				return parquet.Int64Value(r.Bytes)
			},
			func(r *Record, v parquet.Value, _ *interner) { r.Bytes = v.Int64() }},
		intColumn("width", func(r *Record) *int32 { return &r.Width }),
		intColumn("height", func(r *Record) *int32 { return &r.Height }),
		{"components", int32Type, ",optional,dict", false,
			func(r *Record, _ string) parquet.Value {
				if r.Components == 0 {
					return parquet.Value{}
				}
				return parquet.Int32Value(int32(r.Components))
			},
			func(r *Record, v parquet.Value, _ *interner) { r.Components = int8(v.Int32()) }},
		{"format", stringType, ",optional,dict", false,
			func(r *Record, _ string) parquet.Value { return optional(r.Format) },
			func(r *Record, v parquet.Value, in *interner) { r.Format = in.text(v) }},
		{"xxh3", uint64Type, ",optional", false,
			func(r *Record, _ string) parquet.Value {
				if r.XXH3 == 0 {
					return parquet.Value{}
				}
				return parquet.Int64Value(int64(r.XXH3))
			},
			func(r *Record, v parquet.Value, _ *interner) { r.XXH3 = v.Uint64() }},
		boxColumn("box_x", func(b *face.Box) *float64 { return &b.X }),
		boxColumn("box_y", func(b *face.Box) *float64 { return &b.Y }),
		boxColumn("box_w", func(b *face.Box) *float64 { return &b.W }),
		boxColumn("box_h", func(b *face.Box) *float64 { return &b.H }),
	}
	for i, digit := range []string{"1", "2", "3", "4", "5"} {
		cols = append(cols,
			landmarkColumn("lx"+digit, func(l *face.Landmarks) *float64 { return &l[i].X }),
			landmarkColumn("ly"+digit, func(l *face.Landmarks) *float64 { return &l[i].Y }))
	}
	cols = append(cols,
		column{"gender", stringType, ",optional,dict", false,
			func(r *Record, _ string) parquet.Value { return optional(r.Gender.String()) },
			func(r *Record, v parquet.Value, _ *interner) { r.Gender = parseGender(v.ByteArray()) }},
		column{"age", floatType, ",optional", false,
			func(r *Record, _ string) parquet.Value {
				if r.Age != r.Age {
					return parquet.Value{}
				}
				return parquet.FloatValue(r.Age)
			},
			func(r *Record, v parquet.Value, _ *interner) { r.Age = v.Float() }},
		column{"age_source", stringType, ",optional,dict", false,
			func(r *Record, _ string) parquet.Value { return optional(r.AgeSource) },
			func(r *Record, v parquet.Value, in *interner) { r.AgeSource = in.text(v) }},
	)
	for i, name := range attributes {
		cols = append(cols, column{attrPrefix + name, boolType, ",optional", false,
			func(r *Record, _ string) parquet.Value {
				if r.Attributes.known>>i&1 == 0 {
					return parquet.Value{}
				}
				return parquet.BooleanValue(r.Attributes.yes>>i&1 == 1)
			},
			func(r *Record, v parquet.Value, _ *interner) {
				r.Attributes.known |= 1 << i
				if v.Boolean() {
					r.Attributes.yes |= 1 << i
				}
			}})
	}
	return cols
}

// intColumn is a number whose 0 means unknown.
func intColumn(name string, field func(*Record) *int32) column {
	return column{name, int32Type, ",optional", false,
		func(r *Record, _ string) parquet.Value {
			if *field(r) == 0 {
				return parquet.Value{}
			}
			return parquet.Int32Value(*field(r))
		},
		func(r *Record, v parquet.Value, _ *interner) { *field(r) = v.Int32() }}
}

func boxColumn(name string, field func(*face.Box) *float64) column {
	return column{name, floatType, ",optional", false,
		func(r *Record, _ string) parquet.Value {
			if !r.HasBox {
				return parquet.Value{}
			}
			return parquet.FloatValue(float32(*field(&r.Box)))
		},
		func(r *Record, v parquet.Value, _ *interner) {
			r.HasBox = true
			*field(&r.Box) = float64(v.Float())
		}}
}

func landmarkColumn(name string, field func(*face.Landmarks) *float64) column {
	return column{name, floatType, ",optional", false,
		func(r *Record, _ string) parquet.Value {
			if !r.HasLandmarks {
				return parquet.Value{}
			}
			return parquet.FloatValue(float32(*field(&r.Landmarks)))
		},
		func(r *Record, v parquet.Value, _ *interner) {
			r.HasLandmarks = true
			*field(&r.Landmarks) = float64(v.Float())
		}}
}

// text makes a value of a string without copying it; the string must outlive the value.
func text(s string) parquet.Value {
	return parquet.ByteArrayValue(unsafe.Slice(unsafe.StringData(s), len(s)))
}

func optional(s string) parquet.Value {
	if s == "" {
		return parquet.Value{}
	}
	return text(s)
}

// schema builds the Parquet schema. A struct type made at run time keeps the columns' order,
// which parquet.Group would sort.
func schema(cols []column) *parquet.Schema {
	fields := make([]reflect.StructField, 0, len(cols)+1)
	for i, c := range cols {
		fields = append(fields, reflect.StructField{
			Name: "F" + string(rune('A'+i/26)) + string(rune('A'+i%26)),
			Type: c.typ,
			Tag:  reflect.StructTag(`parquet:"` + c.name + c.options + `"`),
		})
	}
	fields = append(fields, reflect.StructField{
		Name: "Problems",
		Type: reflect.TypeFor[[]string](),
		Tag:  `parquet:"problems,list" parquet-element:",dict"`,
	})
	return parquet.NewSchema("image", parquet.SchemaOf(reflect.New(reflect.StructOf(fields)).Interface()))
}

// interner keeps one copy of strings that repeat, such as identities.
type interner struct {
	known map[string]string
	last  string
}

// maxInterned bounds the interner against a file whose values never repeat.
const maxInterned = 1 << 20

func (in *interner) text(v parquet.Value) string {
	b := v.ByteArray()
	if string(b) == in.last {
		return in.last
	}
	s, ok := in.known[string(b)]
	if !ok {
		s = string(b)
		if len(in.known) < maxInterned {
			in.known[s] = s
		}
	}
	in.last = s
	return s
}

func unknownAge() float32 { return float32(math.NaN()) }

func parseGender(b []byte) Gender {
	switch string(b) {
	case "m", "M", "male", "Male", "MALE":
		return Male
	case "f", "F", "female", "Female", "FEMALE":
		return Female
	}
	return GenderUnknown
}
