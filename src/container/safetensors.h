// Inside of the container folder: safetensors files, alone or as the shards of an index.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/byte_source.h"
#include "base/result.h"
#include "container/tensor_file.h"

namespace hearth {

struct SafetensorsPart {
  std::vector<TensorInfo> tensors;  // in the order of their data
  std::vector<SkippedTensor> skipped;
  std::vector<std::pair<std::string, std::string>> metadata;  // of __metadata__
};

// Reads the header of one file. The data of all tensors, the skipped ones included, must cover
// the rest of the file without holes or overlaps, as the format demands (a hole could hide
// another file). `part` becomes TensorInfo::part. REQUIRES a source that is mapped.
Result<SafetensorsPart> parse_safetensors(const ByteSource& source, uint32_t part);

// Puts a TensorFile together from one file or from shards.
class SafetensorsParser {
 public:
  static Result<TensorFile> open(std::shared_ptr<const ByteSource> source);
  static Result<TensorFile> open_folder(const std::string& folder);
  // `path` is a model.safetensors.index.json; its shards lie beside it.
  static Result<TensorFile> open_index(const std::string& path);

 private:
  static Result<TensorFile> finish(TensorFile file,
                                   std::vector<std::pair<std::string, std::string>> metadata);
};

// Fails when `text` is a document that would need too much memory as Json.
Result<void> check_json_size(std::string_view text);

}  // namespace hearth
