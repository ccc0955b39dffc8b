#include "container/checkpoint_files.h"

#include <fmt/format.h>

#include "base/file.h"
#include "base/out_of_memory.h"

namespace hearth {
namespace {

constexpr uint64_t kBytesMax = 16u << 20;

Result<Json> read_json(const std::string& folder, std::string_view name) {
  std::string path = fmt::format("{}/{}", folder, name);
  auto json = Json::parse(TRY(read_file(path, kBytesMax)));
  if (!json) return std::unexpected(with_context(json.error(), path));
  if (!json->is_object()) return fail(Code::kCorrupt, "{}: must be an object", path);
  return json;
}

// Only a file that is not there is no template: any other trouble with it is an answer.
Result<std::string> read_template(const std::string& folder) {
  auto own_file = read_file(folder + "/chat_template.jinja", kBytesMax);
  if (own_file || own_file.error().code != Code::kNotFound) return own_file;
  auto config = read_json(folder, "tokenizer_config.json");
  if (!config && config.error().code == Code::kNotFound) return std::string();
  if (!config) return std::unexpected(std::move(config).error());
  const Json& chat = (*config)["chat_template"];
  if (chat.is_string()) return chat.as_string();
  if (chat.is_array())  // several by name; the default one talks
    for (const Json& entry : chat.as_array())
      if (entry["name"] == Json("default") && entry["template"].is_string())
        return entry["template"].as_string();
  return std::string();
}

}  // namespace

Result<Json> read_checkpoint_json(const std::string& folder, std::string_view name) {
  return catching_bad_alloc([&] { return read_json(folder, name); });
}

Result<std::string> read_checkpoint_template(const std::string& folder) {
  return catching_bad_alloc([&] { return read_template(folder); });
}

}  // namespace hearth
