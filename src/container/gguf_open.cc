// From parsed headers to a TensorFile: one file, or the files of a split set.
#include <fmt/format.h>

#include "base/check.h"
#include "container/gguf.h"
#include "container/limits.h"
#include "container/quote.h"

namespace hearth {
namespace {

// What a file says about the set that it belongs to. `tensors` counts those of all parts.
struct SplitKeys {
  uint64_t no = 0, count = 1, tensors = 0;
};

Result<SplitKeys> split_keys(const GgufPart& part) {
  SplitKeys out;
  out.no = TRY(part.metadata.uint("split.no", 0));
  out.count = TRY(part.metadata.uint("split.count", 1));
  out.tensors = TRY(part.metadata.uint("split.tensors.count", 0));
  if (out.count <= 1) return SplitKeys{};
  if (out.count > kPartsMax)
    return fail(Code::kTooLarge, "metadata 'split.count' is {}, at most {} are allowed", out.count,
                kPartsMax);
  if (out.no >= out.count)
    return fail(Code::kCorrupt, "metadata 'split.no' is {}, but the set has {} parts", out.no,
                out.count);
  return out;
}

template <class T>
Result<T> in_file(Result<T> result, const std::string& name) {
  if (result) return result;
  return std::unexpected(with_context(std::move(result).error(), name));
}

std::string split_suffix(uint64_t no, uint64_t count) {
  return fmt::format("-{:05}-of-{:05}.gguf", no + 1, count);
}

// The part `path` must end in the suffix that its keys call for; gives what is before it.
Result<std::string> split_prefix(const std::string& path, const SplitKeys& keys) {
  std::string suffix = split_suffix(keys.no, keys.count);
  if (!path.ends_with(suffix))
    return fail(Code::kCorrupt, "{}: is part {} of {} by its keys, so its name must end in {}",
                path, keys.no + 1, keys.count, suffix);
  return path.substr(0, path.size() - suffix.size());
}

Result<void> check_part(const GgufPart& part, uint64_t no, const SplitKeys& first) {
  SplitKeys keys = TRY(split_keys(part));
  if (keys.count != first.count)
    return fail(Code::kCorrupt, "metadata 'split.count' is {}, but {} in the first part",
                keys.count, first.count);
  if (keys.no != no)
    return fail(Code::kCorrupt, "metadata 'split.no' is {}, but {} by its name", keys.no, no);
  if (keys.tensors != 0 && first.tensors != 0 && keys.tensors != first.tensors)
    return fail(Code::kCorrupt, "metadata 'split.tensors.count' is {}, but {} in the first part",
                keys.tensors, first.tensors);
  return {};
}

}  // namespace

Result<TensorFile> GgufParser::open(std::shared_ptr<const ByteSource> source) {
  GgufPart part = TRY(parse_gguf(source, 0));
  SplitKeys keys = TRY(in_file(split_keys(part), source->name()));
  if (keys.count > 1)
    return fail(Code::kUnsupported, "{}: is part {} of {}; such a set is opened by its path",
                source->name(), keys.no + 1, keys.count);
  TensorFile file;
  file.path_ = source->name();
  file.metadata_ = std::move(part.metadata);
  file.tensors_ = std::move(part.tensors);
  file.parts_ = {std::move(source)};
  return finish(std::move(file));
}

Result<TensorFile> GgufParser::open(const std::string& path) {
  std::shared_ptr<const ByteSource> source = TRY(open_mapped(path));
  GgufPart first = TRY(parse_gguf(source, 0));
  SplitKeys keys = TRY(in_file(split_keys(first), path));
  if (keys.count > 1) return open_set(path, std::move(first), std::move(source));
  TensorFile file;
  file.path_ = path;
  file.metadata_ = std::move(first.metadata);
  file.tensors_ = std::move(first.tensors);
  file.parts_ = {std::move(source)};
  return finish(std::move(file));
}

Result<TensorFile> GgufParser::open_set(const std::string& path, GgufPart first,
                                        std::shared_ptr<const ByteSource> source) {
  SplitKeys keys = TRY(split_keys(first));
  std::string prefix = TRY(split_prefix(path, keys));
  if (keys.no != 0)
    return fail(Code::kInvalid, "{}: is part {} of {}; open the first, {}", path, keys.no + 1,
                keys.count, prefix + split_suffix(0, keys.count));
  TensorFile file;
  file.path_ = path;
  file.metadata_ = std::move(first.metadata);
  file.tensors_ = std::move(first.tensors);
  file.parts_ = {std::move(source)};
  for (uint64_t no = 1; no < keys.count; ++no) {
    std::string part_path = prefix + split_suffix(no, keys.count);
    std::shared_ptr<const ByteSource> part_source = TRY(open_mapped(part_path));
    GgufPart part = TRY(parse_gguf(part_source, static_cast<uint32_t>(no)));
    TRY(in_file(check_part(part, no, keys), part_path));
    if (file.tensors_.size() + part.tensors.size() > kTensorsMax)
      return fail(Code::kTooLarge, "{}: the set has more than {} tensors", part_path, kTensorsMax);
    std::move(part.tensors.begin(), part.tensors.end(), std::back_inserter(file.tensors_));
    file.parts_.push_back(std::move(part_source));
  }
  if (keys.tensors != 0 && keys.tensors != file.tensors_.size())
    return fail(Code::kCorrupt, "{}: metadata 'split.tensors.count' is {}, but the parts have {}",
                path, keys.tensors, file.tensors_.size());
  return finish(std::move(file));
}

Result<TensorFile> GgufParser::finish(TensorFile file) {
  file.kind_ = ContainerKind::kGguf;
  TRY(file.index_tensors());
  return file;
}

}  // namespace hearth
