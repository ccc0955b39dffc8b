// Lists, copies, removals and blobs.
#include "api/ollama_store.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>

#include "api/ollama_fields.h"
#include "base/log.h"
#include "registry/store_files.h"

namespace hearth::api {
namespace {

using namespace ollama;

// Two spellings of one field: the later one's name wins over the older one's.
struct NameFields {
  std::string model, name;
  std::string source, destination;
};
constexpr FieldRow<NameFields> kNameRows[] = {{"model", &NameFields::model},
                                              {"name", &NameFields::name}};
constexpr FieldRow<NameFields> kCopyRows[] = {{"source", &NameFields::source},
                                              {"destination", &NameFields::destination}};

ApiReply reply_of(const ApiResult<void>& result) {
  if (!result) return ollama_error(result.error());
  return {.status = 200, .body = {}};
}

ApiResult<void> of_store(Result<void> result) {
  if (!result) return refuse("", std::move(result).error());
  return {};
}

ApiResult<void> copy(const Store& store, const Json& body) {
  NameFields fields;
  TRY(read_fields<NameFields>(body, kCopyRows, fields));
  auto from = ModelName::parse(fields.source);
  if (!from) return refuse("source", "source \"{}\" is invalid", fields.source);
  auto to = ModelName::parse(fields.destination);
  if (!to) return refuse("destination", "destination \"{}\" is invalid", fields.destination);
  if (!store.find(*from))
    return refuse("source",
                  fail(Code::kNotFound, "model \"{}\" not found", fields.source).error());
  auto writer = store.begin_write();
  if (!writer) return refuse("", std::move(writer).error());
  return of_store(writer->copy(*from, *to));
}

ApiResult<void> remove(const Store& store, const Json& body) {
  NameFields fields;
  TRY(read_fields<NameFields>(body, kNameRows, fields));
  const std::string& text = fields.model.empty() ? fields.name : fields.model;
  auto name = ModelName::parse(text);
  if (!name) return refuse("model", "name \"{}\" is invalid", text);
  if (!store.find(*name)) return std::unexpected(ollama_model_not_found(text));
  auto removed = store.remove({*name});
  if (!removed && removed.error().code == Code::kNotFound)  // somebody was faster
    return std::unexpected(ollama_model_not_found(text));
  if (!removed) return refuse("", std::move(removed).error());
  return {};
}

// "sha256:HEX" or "sha256-HEX", as a route has it.
ApiResult<Digest> read_digest(std::string_view text) {
  auto digest = Digest::parse(text);
  if (!digest || !text.starts_with("sha256")) return refuse("digest", "invalid digest format");
  return std::move(*digest);
}

ApiResult<std::string> tags(const Store& store) {
  std::vector<StoreProblem> broken;
  auto stored = store.list(&broken);
  if (!stored) return refuse("", std::move(stored).error());
  for (const StoreProblem& problem : broken)
    log(LogLevel::kWarn, "{}: {}", problem.what, problem.problem);
  Json models = Json::Array{};
  for (const StoredModel& model : *stored) {
    Json item;
    std::string name = model.name.display();
    item.set("name", name);
    item.set("model", name);
    item.set("modified_at", offset_time(model.modified));
    item.set("size", model.manifest.total_size());
    item.set("digest", model.digest);
    // Without its config blob a model is still there.
    item.set("details",
             details_json(ollama_details(store, model.manifest).value_or(OllamaDetails{})));
    models.push_back(std::move(item));
  }
  Json out;
  out.set("models", std::move(models));
  return out.dump();
}

// FNV-1a over the bytes of what identifies a file.
class Fingerprint {
 public:
  void add(std::string_view text) {
    for (char c : text) add_byte(static_cast<unsigned char>(c));
    add_byte(0);
  }
  void add(uint64_t value) {
    for (int i = 0; i < 8; ++i) add_byte(static_cast<unsigned char>(value >> (8 * i)));
  }
  uint64_t value() const { return value_; }

 private:
  void add_byte(unsigned char byte) { value_ = (value_ ^ byte) * 0x100000001B3u; }
  uint64_t value_ = 0xCBF29CE484222325u;
};

// Of all manifests: Hearth replaces them by rename, others write into them.
uint64_t fingerprint_of(const Store& store) {
  Fingerprint out;
  std::filesystem::path root = store.folder() / "manifests";
  for (const ModelName& name : manifest_names(store.folder(), nullptr)) {
    struct stat st = {};
    (void)stat((root / name.relative()).c_str(), &st);
    out.add(name.full());
    out.add(static_cast<uint64_t>(st.st_ino));
    out.add(static_cast<uint64_t>(st.st_size));
    out.add(static_cast<uint64_t>(st.st_mtim.tv_sec));
    out.add(static_cast<uint64_t>(st.st_mtim.tv_nsec));
    out.add(static_cast<uint64_t>(st.st_ctim.tv_sec));
    out.add(static_cast<uint64_t>(st.st_ctim.tv_nsec));
  }
  return out.value();
}

}  // namespace

Result<OllamaDetails> ollama_details(const Store& store, const Manifest& manifest) {
  constexpr uint64_t kConfigBytesMax = 1 << 20;
  Json config = TRY(Json::parse(TRY(store.read_text(manifest.config.digest, kConfigBytesMax))));
  auto text = [&](std::string_view name) {
    return config[name].is_string() ? config[name].as_string() : std::string();
  };
  auto number = [&](std::string_view name) {
    return config[name].is_int() ? config[name].as_int() : 0;
  };
  OllamaDetails out{.format = text("model_format"),
                    .family = text("model_family"),
                    .parameter_size = text("model_type"),
                    .quantization = text("file_type"),
                    .context_length = number("context_length"),
                    .embedding_length = number("embedding_length")};
  if (config["model_families"].is_array())
    for (const Json& family : config["model_families"].as_array())
      if (family.is_string()) out.families.push_back(family.as_string());
  return out;
}

ApiReply ollama_tags(const Store& store) {
  auto body = catching_memory([&] { return tags(store); });
  if (!body) return ollama_error(body.error());
  return {.status = 200, .body = std::move(*body)};
}

ApiReply ollama_copy(const Store& store, const Json& body) {
  return reply_of(catching_memory([&] { return copy(store, body); }));
}

ApiReply ollama_remove(const Store& store, const Json& body) {
  return reply_of(catching_memory([&] { return remove(store, body); }));
}

std::string ollama_model_of(const Json& body) {
  std::string model, name;
  if (!body.is_object()) return {};
  for (const auto& [key, value] : body.as_object()) {
    if (value.is_string() && same_name(key, "model")) model = value.as_string();
    if (value.is_string() && same_name(key, "name")) name = value.as_string();
  }
  return model.empty() ? name : model;
}

bool ollama_streams(const Json& body) {
  bool streams = true;
  if (body.is_object())
    for (const auto& [key, value] : body.as_object())
      if (value.is_bool() && same_name(key, "stream")) streams = value.as_bool();
  return streams;
}

ApiReply ollama_blob_exists(const Store& store, std::string_view text) {
  auto digest = read_digest(text);
  if (!digest) return ollama_error(digest.error());
  if (!store.has_blob(*digest))
    return ollama_error({.error = fail(Code::kNotFound, "blob \"{}\" not found", text).error(),
                         .param = "digest"});
  return {.status = 200, .body = {}};
}

std::expected<BlobUpload, ApiReply> BlobUpload::begin(const Store& store, std::string_view text) {
  auto digest = read_digest(text);
  if (!digest) return std::unexpected(ollama_error(digest.error()));
  if (store.has_blob(*digest)) return std::unexpected(ApiReply{.status = 200, .body = {}});
  auto writer = store.begin_write();
  if (!writer) return std::unexpected(ollama_error({.error = writer.error()}));
  auto blob = writer->begin_blob();
  if (!blob) return std::unexpected(ollama_error({.error = blob.error()}));
  return BlobUpload(store, std::move(*digest), std::move(*blob));
}

std::expected<void, ApiReply> BlobUpload::write(std::span<const std::byte> bytes) {
  if (auto written = blob_.write(bytes); !written)
    return std::unexpected(ollama_error({.error = written.error()}));
  return {};
}

ApiReply BlobUpload::finish() {
  // The lock again, so that nobody sweeps between the blob's appearance and our answer.
  auto writer = store_.begin_write();
  if (!writer) return ollama_error({.error = writer.error()});
  auto layer = blob_.finish(media::kModel, &digest_);
  if (layer) return {.status = 201, .body = {}};
  ApiReply out = ollama_error({.error = layer.error(), .param = "digest"});
  if (layer.error().code == Code::kCorrupt) out.status = 400;
  return out;
}

const ApiReply& TagsCache::reply() {
  constexpr std::chrono::milliseconds kInterval{50};
  constexpr int kShare = 20;  // of the time, one part may go into looking
  auto begin = std::chrono::steady_clock::now();
  if (known_ && begin < next_look_) return reply_;
  // Before the store is read: what changes meanwhile is seen the next time.
  uint64_t fingerprint = fingerprint_of(store_);
  if (!known_ || fingerprint != fingerprint_) {
    reply_ = ollama_tags(store_);
    fingerprint_ = fingerprint;
    known_ = reply_.status == 200;
  }
  auto end = std::chrono::steady_clock::now();
  std::chrono::steady_clock::duration pause = (end - begin) * kShare;
  next_look_ = end + std::max(pause, decltype(pause)(kInterval));
  return reply_;
}

}  // namespace hearth::api
