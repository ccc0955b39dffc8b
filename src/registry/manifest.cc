#include "registry/manifest.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/json.h"
#include "base/out_of_memory.h"

namespace hearth {
namespace {

constexpr std::string_view kManifestType = "application/vnd.docker.distribution.manifest.v2+json";
// No blob of a petabyte: sums of sizes cannot overflow.
constexpr int64_t kBlobBytesMax = int64_t{1} << 50;

Result<Layer> parse_layer(const Json& json, std::string_view what) {
  if (!json.is_object()) return fail(Code::kCorrupt, "{} is no object", what);
  std::string type = TRY(json.get_string("mediaType", ""));
  auto digest = Digest::parse(TRY(json.get_string("digest", "")));
  if (!digest) return fail(Code::kCorrupt, "{}: {}", what, digest.error().message);
  int64_t size = TRY(json.get_int("size", -1));
  if (size < 0 || size > kBlobBytesMax)
    return fail(Code::kCorrupt, "{} has the impossible size {}", what, size);
  std::string name = TRY(json.get_string("name", ""));
  if (type == media::kFile)
    if (auto good = check_file_name(name); !good)
      return fail(Code::kCorrupt, "{}: {}", what, good.error().message);
  return Layer{std::move(type), *digest, static_cast<uint64_t>(size), std::move(name)};
}

void append_layer(std::string& out, const Layer& layer) {
  out += "{\"mediaType\":";
  append_json_string(out, layer.media_type);
  out += fmt::format(",\"digest\":\"{}\",\"size\":{}", layer.digest.text(), layer.size);
  if (!layer.name.empty()) {
    out += ",\"name\":";
    append_json_string(out, layer.name);
  }
  out += '}';
}

Result<Manifest> parse_json(const Json& json) {
  if (!json.is_object()) return fail(Code::kCorrupt, "is no JSON object");
  if (TRY(json.get_int("schemaVersion", 0)) != 2)
    return fail(Code::kCorrupt, "is not of schema version 2");
  const Json& layers = json["layers"];
  if (!layers.is_array()) return fail(Code::kCorrupt, "has no list of layers");
  if (layers.as_array().size() > Manifest::kLayersMax)
    return fail(Code::kCorrupt, "has {} layers, more than {}", layers.as_array().size(),
                Manifest::kLayersMax);
  Manifest out{TRY(parse_layer(json["config"], "its config")), {}};
  for (const Json& layer : layers.as_array())
    out.layers.push_back(
        TRY(parse_layer(layer, fmt::format("its layer {}", out.layers.size() + 1))));
  return out;
}

}  // namespace

const Layer* Manifest::find(std::string_view media_type) const {
  auto layer = std::ranges::find(layers, media_type, &Layer::media_type);
  return layer == layers.end() ? nullptr : &*layer;
}

uint64_t Manifest::total_size() const {
  uint64_t sum = config.size;
  for (const Layer& layer : layers) sum += layer.size;
  return sum;
}

// By hand, because the bytes matter: this is what Ollama writes, without a blank.
std::string Manifest::dump() const {
  std::string out = fmt::format("{{\"schemaVersion\":2,\"mediaType\":\"{}\",\"config\":",
                                kManifestType);
  append_layer(out, config);
  out += ",\"layers\":[";
  for (size_t i = 0; i < layers.size(); ++i) {
    if (i > 0) out += ',';
    append_layer(out, layers[i]);
  }
  return out + "]}";
}

Result<Manifest> Manifest::parse(std::string_view text) {
  if (text.size() > kBytesMax) return fail(Code::kCorrupt, "is larger than {} bytes", kBytesMax);
  auto out = catching_bad_alloc(
      [&]() -> Result<Manifest> { return parse_json(TRY(Json::parse(text))); });
  // Whoever repairs a store removes what is corrupt: a lack of memory must not look like that.
  if (!out && out.error().code != Code::kOutOfMemory) out.error().code = Code::kCorrupt;
  return out;
}

Result<void> check_file_name(std::string_view name) {
  auto refuse = [&] { return fail(Code::kInvalid, "the file name '{}' is not allowed", name); };
  if (name.empty() || name.size() > 255) return refuse();
  size_t parts = 1;
  char before = '/';
  for (char c : name) {
    bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                c == '_' || c == '-' || c == '.';
    if (!word && c != '/') return refuse();
    if (before == '/' && (c == '.' || c == '/')) return refuse();
    parts += c == '/';
    before = c;
  }
  if (before == '/' || parts > 4) return refuse();
  return {};
}

}  // namespace hearth
