#include "registry/model_source.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/options.h"
#include "container/tensor_file.h"
#include "registry/store_files.h"

namespace hearth {
namespace fs = std::filesystem;
namespace {

bool is_folder(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

bool is_regular(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

// Weights, configuration, tokenizer, template and licence; not code, pictures or other weights.
bool belongs_to_model(std::string_view name, bool model_prefix) {
  if (name.ends_with(".safetensors")) return !model_prefix || name.starts_with("model");
  return name.ends_with(".json") || name.ends_with(".jinja") || name == "tokenizer.model" ||
         name == "merges.txt" || name == "vocab.txt" || name.starts_with("LICENSE");
}

std::vector<std::string> regular_files(const fs::path& folder) {
  std::vector<std::string> out;
  for (const FolderEntry& entry : list_folder(folder))
    if (is_regular(folder / entry.name)) out.push_back(entry.name);  // links of a cache, too
  return out;
}

Result<std::vector<SourceFile>> model_files(const fs::path& folder,
                                            std::vector<std::string>& warnings) {
  std::vector<std::string> names = regular_files(folder);
  // Some folders hold the same weights twice; "model*" are the ones with the usual names.
  bool prefix = std::ranges::any_of(names, [](const std::string& name) {
    return name.starts_with("model") && name.ends_with(".safetensors");
  });
  for (const FolderEntry& entry : list_folder(folder))  // 1_Pooling/config.json and the like
    if (entry.folder && !entry.name.starts_with('.'))
      for (const std::string& name : regular_files(folder / entry.name))
        if (name.ends_with(".json") || name.ends_with(".safetensors"))
          names.push_back(entry.name + "/" + name);
  std::vector<SourceFile> out;
  for (const std::string& name : names) {
    bool nested = name.find('/') != std::string::npos;
    if (!nested && !belongs_to_model(name, prefix)) continue;
    if (!check_file_name(name)) {
      warnings.push_back(fmt::format("left out {}: its name is not allowed", name));
      continue;
    }
    std::error_code error;
    uint64_t size = fs::file_size(folder / name, error);
    if (error)
      return fail(Code::kIo, "cannot read {}: {}", (folder / name).string(), error.message());
    out.push_back({name, folder / name, size});
  }
  return out;
}

// The parts of a split GGUF whose first is `first`; just that one when it is not split.
Result<std::vector<SourceFile>> gguf_parts(const fs::path& first) {
  std::string name = first.filename().string();
  constexpr std::string_view kFirst = "-00001-of-";
  size_t at = name.rfind(kFirst);
  uint32_t count = 1;
  bool split = at != std::string::npos && name.size() == at + kFirst.size() + 10;
  if (split && name.ends_with(".gguf")) {
    auto parsed = parse_int(std::string_view(name).substr(at + kFirst.size(), 5));
    if (parsed && *parsed >= 1) count = static_cast<uint32_t>(*parsed);
  }
  std::vector<SourceFile> out;
  for (uint32_t i = 1; i <= count; ++i) {
    std::string part = count == 1 ? name
                                  : fmt::format("{}-{:05}-of-{}", name.substr(0, at), i,
                                                name.substr(at + kFirst.size()));
    std::error_code error;
    uint64_t size = fs::file_size(first.parent_path() / part, error);
    if (error)
      return fail(Code::kNotFound, "cannot read {}, part {} of {}: {}", part, i, count,
                  error.message());
    out.push_back({part, first.parent_path() / part, size});
  }
  return out;
}

Result<ModelSource> gguf_source(const fs::path& path) {
  TensorFile file = TRY(TensorFile::open(path.string()));
  if (file.kind() != ContainerKind::kGguf)
    return fail(Code::kUnsupported, "{} is one file of a model: name its folder", path.string());
  ModelSource out{.path = path, .files = TRY(gguf_parts(path))};
  out.kind = out.files.size() > 1 ? ModelSource::Kind::kFiles : ModelSource::Kind::kGguf;
  return out;
}

Result<ModelSource> folder_source(const fs::path& folder, std::vector<std::string>& warnings) {
  std::vector<std::string> gguf;
  bool safetensors = false;
  for (const std::string& name : regular_files(folder)) {
    if (name.ends_with(".gguf")) gguf.push_back(name);
    safetensors |= name.ends_with(".safetensors");
  }
  if (!safetensors && gguf.size() == 1) return gguf_source(folder / gguf[0]);
  if (!safetensors)
    return fail(Code::kNotFound, "{} holds {}", folder.string(),
                gguf.empty() ? "no model: neither .safetensors nor .gguf files"
                             : "several .gguf files; name one of them");
  TRY(TensorFile::open(folder.string()));
  return ModelSource{.kind = ModelSource::Kind::kFiles,
                     .path = folder,
                     .files = TRY(model_files(folder, warnings))};
}

}  // namespace

fs::path source_path(std::string_view text, const fs::path& base) {
  const char* home = std::getenv("HOME");
  if (home != nullptr && text.starts_with("~/")) return fs::path(home) / text.substr(2);
  return base / text;  // an absolute text replaces the base
}

Result<ModelSource> find_source(std::string_view text, const fs::path& base,
                                std::vector<std::string>& warnings) {
  if (text.starts_with("sha256:") || text.starts_with("sha256-"))
    return ModelSource{.kind = ModelSource::Kind::kBlob, .name = std::string(text)};
  fs::path path = source_path(text, base);
  if (is_folder(path)) return folder_source(path, warnings);
  if (is_regular(path)) return gguf_source(path);
  std::error_code error;
  if (fs::exists(path, error))
    return fail(Code::kInvalid, "FROM {} is neither a file nor a folder", text);
  if (text.starts_with('/') || text.starts_with('.') || text.starts_with('~') ||
      text.ends_with(".gguf"))
    return fail(Code::kNotFound, "FROM {}: there is no such file", text);
  return ModelSource{.kind = ModelSource::Kind::kStored, .name = std::string(text)};
}

}  // namespace hearth
