// TensorFile: named tensors over one or more files, whatever the container. Opening reads headers
// only; tensor data stays where it is (mapped) until it is touched. Immutable once open; any
// thread may read. Copies share the mapping.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/byte_source.h"
#include "base/json.h"
#include "base/result.h"
#include "container/metadata.h"
#include "encoding/encoding.h"

namespace hearth {

struct TensorInfo {
  std::string name;
  // Row-major, outermost first, as PyTorch prints it: a linear layer is {out, in}. The last
  // dimension is contiguous and a whole number of blocks. (GGUF stores the reverse order.)
  std::vector<uint64_t> shape;
  const Encoding* encoding = nullptr;
  uint32_t part = 0;    // which of the files
  uint64_t offset = 0;  // from the beginning of that file
  uint64_t bytes = 0;

  uint64_t elems() const;                 // the product of shape; checked when read
  uint64_t row_elems() const { return shape.empty() ? 1 : shape.back(); }
  std::string shape_text() const;         // "[49152, 576]"
};

// A tensor that is in the file but whose type no encoding expresses: the integer helpers that
// checkpoints carry (position ids, masks). Its range was checked; its data is not offered.
struct SkippedTensor {
  std::string name;
  std::string type;  // as the file calls it: "I64"
};

enum class ContainerKind { kGguf, kSafetensors };

class TensorFile {
 public:
  // A .gguf file (the first of a split set brings the others), a .safetensors file, or a Hugging
  // Face folder with model.safetensors or model.safetensors.index.json.
  static Result<TensorFile> open(const std::string& path);

  // The same for GGUF bytes at hand (tests, fuzzing); split sets need open().
  static Result<TensorFile> open_gguf(std::shared_ptr<const ByteSource> source);
  static Result<TensorFile> open_safetensors(std::shared_ptr<const ByteSource> source);

  ContainerKind kind() const { return kind_; }
  const std::string& path() const { return path_; }
  // GGUF: the keys of the (first) file. Safetensors: the strings of __metadata__ of the first.
  const Metadata& metadata() const { return metadata_; }
  const std::vector<TensorInfo>& tensors() const { return tensors_; }
  const TensorInfo* find(std::string_view name) const;  // nullptr when absent

  // Integer tensors of safetensors files and tensors without elements, which tensors() leaves out.
  const std::vector<SkippedTensor>& skipped() const { return skipped_; }

  // The bytes of a tensor of this file, as long as any copy of this object lives. In GGUF files
  // they begin at a multiple of general.alignment (at least 8); in safetensors anywhere, so that
  // readers must not assume that a float lies at a multiple of four.
  std::span<const std::byte> data(const TensorInfo& tensor) const;

  uint64_t file_bytes() const;  // all parts together

 private:
  friend class GgufParser;
  friend class SafetensorsParser;
  Result<void> index_tensors();  // fills by_name_; refuses duplicates and overlaps

  ContainerKind kind_ = ContainerKind::kGguf;
  std::string path_;
  std::vector<std::shared_ptr<const ByteSource>> parts_;
  Metadata metadata_;
  std::vector<TensorInfo> tensors_;
  std::vector<SkippedTensor> skipped_;
  std::unordered_map<std::string, size_t> by_name_;  // owns its names: copies must not dangle
};

}  // namespace hearth
