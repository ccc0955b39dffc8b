// Manifest: what a model consists of, in the JSON of Docker's schema 2 as Ollama uses it: a config
// blob and layers, each with a media type, a digest and a size. The name of a model's version is
// the SHA-256 of the exact bytes of its manifest.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "registry/model_name.h"

namespace hearth {

// Kinds of layers.
namespace media {
inline constexpr std::string_view kConfig = "application/vnd.docker.container.image.v1+json";
inline constexpr std::string_view kModel = "application/vnd.ollama.image.model";  // GGUF
inline constexpr std::string_view kTemplate = "application/vnd.ollama.image.template";
inline constexpr std::string_view kPrompt = "application/vnd.ollama.image.prompt";  // old template
inline constexpr std::string_view kSystem = "application/vnd.ollama.image.system";
inline constexpr std::string_view kParams = "application/vnd.ollama.image.params";  // JSON object
inline constexpr std::string_view kMessages = "application/vnd.ollama.image.messages";
inline constexpr std::string_view kLicense = "application/vnd.ollama.image.license";
inline constexpr std::string_view kAdapter = "application/vnd.ollama.image.adapter";
// One file of a model that is a folder (safetensors) or a split GGUF; `name` is its path there.
inline constexpr std::string_view kFile = "application/vnd.hearth.image.file";
}  // namespace media

struct Layer {
  std::string media_type;
  Digest digest;
  uint64_t size = 0;
  std::string name;  // kFile: relative path within the folder, checked; else usually empty
};

struct Manifest {
  Layer config;
  std::vector<Layer> layers;

  // The first layer of a kind, nullptr when there is none.
  const Layer* find(std::string_view media_type) const;
  uint64_t total_size() const;  // config and layers
  std::string dump() const;     // the JSON

  static constexpr uint64_t kBytesMax = 4 << 20;
  static constexpr size_t kLayersMax = 10'000;
  // kCorrupt for anything that is no such manifest.
  static Result<Manifest> parse(std::string_view text);
};

// "model.safetensors", "1_Pooling/config.json": at most four parts of letters, digits and "._-",
// none beginning with a dot.
Result<void> check_file_name(std::string_view name);

}  // namespace hearth
