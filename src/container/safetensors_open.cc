// From parsed headers to a TensorFile: one file, or the shards that an index names.
#include <filesystem>
#include <map>
#include <unordered_map>

#include "base/file.h"
#include "base/json.h"
#include "container/limits.h"
#include "container/quote.h"
#include "container/safetensors.h"

namespace hearth {
namespace fs = std::filesystem;
namespace {

// Tensor name -> shard, and each shard's number in the order of their names.
struct Index {
  std::unordered_map<std::string, std::string> shard_of;
  std::map<std::string, uint32_t> shards;
};

// An index must not lead out of its folder: shards are plain file names.
bool is_plain_name(std::string_view name) {
  return name.size() > 12 && name.size() <= 255 && name.ends_with(".safetensors") &&
         !name.starts_with('.') && name.find('/') == name.npos && name.find('\\') == name.npos &&
         name.find('\0') == name.npos && name.find("..") == name.npos;
}

Result<Index> read_index(const std::string& path) {
  std::string text = TRY(read_file(path, kJsonHeaderBytesMax));
  if (auto size = check_json_size(text); !size)
    return std::unexpected(with_context(size.error(), path));
  auto document = Json::parse(text);
  if (!document) return std::unexpected(with_context(document.error(), path));
  const Json& map = (*document)["weight_map"];
  if (!map.is_object())
    return fail(Code::kCorrupt, "{}: weight_map is {}, not an object", path, map.kind());
  Index out;
  for (const auto& [tensor, shard] : map.as_object()) {
    if (!shard.is_string() || !is_plain_name(shard.as_string()))
      return fail(Code::kCorrupt, "{}: weight_map {}: {} is no plain name of a .safetensors file",
                  path, quote_name(tensor),
                  shard.is_string() ? quote_name(shard.as_string()) : std::string(shard.kind()));
    if (!out.shard_of.emplace(tensor, shard.as_string()).second)
      return fail(Code::kCorrupt, "{}: weight_map {} is there twice", path, quote_name(tensor));
    out.shards.emplace(shard.as_string(), 0);
  }
  if (out.shards.empty()) return fail(Code::kCorrupt, "{}: weight_map is empty", path);
  if (out.shards.size() > kPartsMax)
    return fail(Code::kTooLarge, "{}: weight_map names more than {} files", path, kPartsMax);
  uint32_t number = 0;
  for (auto& [name, part] : out.shards) part = number++;
  return out;
}

// Takes from a shard what the index places there or does not mention.
void keep_indexed(const Index& index, const std::string& shard, SafetensorsPart& part) {
  auto elsewhere = [&](const auto& tensor) {
    auto it = index.shard_of.find(tensor.name);
    return it != index.shard_of.end() && it->second != shard;
  };
  std::erase_if(part.tensors, elsewhere);
  std::erase_if(part.skipped, elsewhere);
}

}  // namespace

Result<TensorFile> SafetensorsParser::finish(
    TensorFile file, std::vector<std::pair<std::string, std::string>> metadata) {
  file.kind_ = ContainerKind::kSafetensors;
  for (auto& [key, text] : metadata) {
    auto added = file.metadata_.add(key, {MetaType::kString, std::move(text)});
    if (!added) return std::unexpected(with_context(added.error(), file.path_));
  }
  TRY(file.index_tensors());
  // Tensors left out take part in the rule that names are unique.
  std::unordered_map<std::string_view, int> seen;
  for (const SkippedTensor& tensor : file.skipped_)
    if (file.find(tensor.name) != nullptr || !seen.emplace(tensor.name, 0).second)
      return fail(Code::kCorrupt, "{}: two tensors are named {}", file.path_,
                  quote_name(tensor.name));
  return file;
}

Result<TensorFile> SafetensorsParser::open(std::shared_ptr<const ByteSource> source) {
  SafetensorsPart part = TRY(parse_safetensors(*source, 0));
  TensorFile file;
  file.path_ = source->name();
  file.tensors_ = std::move(part.tensors);
  file.skipped_ = std::move(part.skipped);
  file.parts_ = {std::move(source)};
  return finish(std::move(file), std::move(part.metadata));
}

Result<TensorFile> SafetensorsParser::open_folder(const std::string& folder) {
  fs::path single = fs::path(folder) / "model.safetensors";
  fs::path index = fs::path(folder) / "model.safetensors.index.json";
  std::error_code ignored;
  if (fs::exists(single, ignored)) return open(TRY(open_mapped(single.string())));
  if (fs::exists(index, ignored)) return open_index(index.string());
  return fail(Code::kNotFound,
              "{}: the folder has neither model.safetensors nor model.safetensors.index.json",
              folder);
}

Result<TensorFile> SafetensorsParser::open_index(const std::string& path) {
  Index index = TRY(read_index(path));
  TensorFile file;
  file.path_ = path;
  std::vector<std::pair<std::string, std::string>> metadata;
  for (const auto& [name, number] : index.shards) {
    std::string shard_path = (fs::path(path).parent_path() / name).string();
    std::shared_ptr<const ByteSource> source = TRY(open_mapped(shard_path));
    SafetensorsPart part = TRY(parse_safetensors(*source, number));
    keep_indexed(index, name, part);
    if (number == 0) metadata = std::move(part.metadata);
    if (file.tensors_.size() + part.tensors.size() > kTensorsMax)
      return fail(Code::kTooLarge, "{}: the shards have more than {} tensors", path, kTensorsMax);
    std::move(part.tensors.begin(), part.tensors.end(), std::back_inserter(file.tensors_));
    std::move(part.skipped.begin(), part.skipped.end(), std::back_inserter(file.skipped_));
    file.parts_.push_back(std::move(source));
  }
  file = TRY(finish(std::move(file), std::move(metadata)));
  std::unordered_map<std::string_view, int> skipped;
  for (const SkippedTensor& tensor : file.skipped_) skipped.emplace(tensor.name, 0);
  for (const auto& [tensor, shard] : index.shard_of)
    if (file.find(tensor) == nullptr && !skipped.contains(tensor))
      return fail(Code::kCorrupt, "{}: weight_map places {} in {}, which does not have it", path,
                  quote_name(tensor), quote_name(shard));
  return file;
}

}  // namespace hearth
