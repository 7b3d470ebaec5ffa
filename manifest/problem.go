package manifest

// The problems of one image. Those marked * make its pixels unusable, see [Record.Usable].
const (
	NoImage          = "no-image"            // * named in a list, box or landmark file; no such file
	Unreadable       = "unreadable"          // * the file can't be read: permission, I/O, a link out of the root
	ZeroByte         = "zero-byte"           // * an empty file
	NotJPEG          = "not-jpeg"            // * the bytes are no JPEG
	DamagedHeader    = "damaged-header"      // * begins as a JPEG, but has no complete header
	Unsupported      = "unsupported-jpeg"    // * arithmetic coding, lossless, 12 bits, ...
	TooLarge         = "too-large"           // * more pixels or bytes than an honest face image
	DuplicateImage   = "duplicate-image"     // two files of one name, in train/ and test/ or .jpg and .JPG; the record shows the first
	Truncated        = "truncated"           // no end marker: probably cut off
	ExifRotated      = "exif-rotated"        // EXIF asks for a rotation; boxes refer to the pixels as stored
	Unlisted         = "unlisted"            // a file that its subset's list does not name
	SubsetConflict   = "subset-conflict"     // directory, list and Flag disagree; the directory wins, then the list
	NoBox            = "no-box"              // boxes were given, none for this image
	BoxEmpty         = "box-empty"           // width or height is not above zero
	BoxOutside       = "box-outside"         // the box does not meet the image
	BoxDuplicate     = "box-duplicate"       // two boxes that differ; the first counts
	NoLandmarks      = "no-landmarks"        // landmarks were given, none for this image
	LandmarksOutside = "landmarks-outside"   // a landmark lies outside the image
	LandmarksDup     = "landmarks-duplicate" // two sets that differ; the first counts
)

// The problems of input files and identities, which no single record shows.
const (
	BadLine           = "bad-line"           // a line that can't be read
	EmptyFile         = "empty-file"         // a metadata file with nothing in it, such as a download that failed
	SecondHeader      = "second-header"      // a header in mid-file, as concatenated files have it
	DuplicateLine     = "duplicate-line"     // the same image named again with the same values
	DuplicateIdentity = "duplicate-identity" // an identity named again; the first line counts
	MissingSampleNum  = "missing-sample-num" // an identity_meta line without Sample_Num
	SampleCount       = "sample-count"       // an identity has more or fewer images than Sample_Num
	UnknownIdentity   = "unknown-identity"   // images of an identity that identity_meta lacks
	NoSubset          = "no-subset"          // neither directory, list nor Flag tell; taken for train
	AgeNoImage        = "age-without-image"  // an age for an image that is nowhere else
	AttributeNoImage  = "attribute-without-image"
	BoxNoImage        = "box-without-image"       // of layouts whose files name images by path
	LandmarksNoImage  = "landmarks-without-image" // the same
	StrangeFile       = "strange-file"            // a name in the tree that is no NAME_ID, or no file
	BadName           = "bad-name"                // an image whose name does not tell what the layout says it does
	OutsideRoot       = "outside-root"            // a directory that is a link out of the root
	UnreadableDir     = "unreadable-directory"    // the manifest is incomplete
)

// rowCodes gives each problem of an image its bit while a manifest is built. Bits are never
// stored, so the order may change.
var rowCodes = [...]string{
	NoImage, Unreadable, ZeroByte, NotJPEG, DamagedHeader, Unsupported, TooLarge, DuplicateImage, Truncated,
	ExifRotated, Unlisted, SubsetConflict, NoBox, BoxEmpty, BoxOutside, BoxDuplicate, NoLandmarks,
	LandmarksOutside, LandmarksDup,
}

var unusable = map[string]bool{
	NoImage: true, Unreadable: true, ZeroByte: true, NotJPEG: true, DamagedHeader: true, Unsupported: true, TooLarge: true,
}
