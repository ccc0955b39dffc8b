// Inside of the container folder: the GGUF header of one file, and where its fields lie.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/byte_source.h"
#include "base/result.h"
#include "container/metadata.h"
#include "container/tensor_file.h"

namespace hearth {

enum class GgufField {
  kMagic,
  kVersion,
  kCount,   // of tensors, keys, array items, dimensions
  kLength,  // of a string
  kText,
  kType,  // of a value, an array's items, a tensor
  kValue,
  kItems,  // the bytes of an array of scalars
  kDim,
  kOffset,
};

struct GgufFieldAt {
  GgufField field;
  uint64_t offset, bytes;
};

// Called for each field as it is read, in the order of the file. For tests that cut and bend
// files where it hurts.
using GgufTrace = std::function<void(const GgufFieldAt&)>;

struct GgufPart {
  uint32_t version = 0;
  uint64_t header_bytes = 0;
  uint64_t alignment = 0;
  uint64_t data_begin = 0;  // header_bytes, aligned
  Metadata metadata;        // points into the source and keeps it alive
  std::vector<TensorInfo> tensors;
};

// Reads the header of one file; each tensor's range is checked against the file's size, each
// name and range alone, not against one another (TensorFile::index_tensors does that).
// `part` becomes TensorInfo::part. REQUIRES a source that is mapped.
Result<GgufPart> parse_gguf(const std::shared_ptr<const ByteSource>& source, uint32_t part,
                            const GgufTrace& trace = {});

// Puts a TensorFile together from one GGUF file or a split set.
class GgufParser {
 public:
  static Result<TensorFile> open(const std::string& path);
  static Result<TensorFile> open(std::shared_ptr<const ByteSource> source);

 private:
  static Result<TensorFile> open_set(const std::string& path, GgufPart first,
                                     std::shared_ptr<const ByteSource> source);
  static Result<TensorFile> finish(TensorFile file);
};

}  // namespace hearth
