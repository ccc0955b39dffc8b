// What a Modelfile's FROM stands for: files of this machine, or something that a store has.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hearth {

// One file of a model, under the name that it has in the store.
struct SourceFile {
  std::string name;
  std::filesystem::path path;
  uint64_t size = 0;
};

struct ModelSource {
  enum class Kind : uint8_t {
    kStored,  // `name`, perhaps a model of the store
    kBlob,    // `name`, a digest
    kGguf,    // one file, which is all of the model
    kFiles,   // a folder of safetensors, or the parts of a split GGUF
  };
  Kind kind = Kind::kStored;
  std::string name;
  std::filesystem::path path;     // what a TensorFile opens
  std::vector<SourceFile> files;  // of kGguf and kFiles
};

// `base` joined with what FROM or ADAPTER says; "~/" is the home folder.
std::filesystem::path source_path(std::string_view text, const std::filesystem::path& base);

// Files are opened and must be a model's: errors as TensorFile's, kNotFound, kInvalid. What of a
// folder is left out for its name is told in `warnings`.
Result<ModelSource> find_source(std::string_view text, const std::filesystem::path& base,
                                std::vector<std::string>& warnings);

}  // namespace hearth
