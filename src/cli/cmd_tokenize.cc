// hearth tokenize and detokenize.
#include <fmt/format.h>

#include "base/file.h"
#include "cli/engine.h"
#include "cli/table.h"
#include "cli/terminal.h"

namespace hearth {
namespace {

constexpr uint64_t kTextBytesMax = 1u << 30;

Result<std::shared_ptr<const Tokenizer>> tokenizer_of(const std::string& name) {
  ResolvedModel resolved = TRY(resolve_model(name));
  TensorFile file = TRY(TensorFile::open(resolved.path));
  return load_tokenizer(file, resolved.path);
}

Result<std::string> text_of(const Args& args) {
  bool file = args.options.has("file"), text = args.has("TEXT");
  if (file && text) return fail(Code::kUsage, "give a text or --file, not both");
  if (file) return read_file(args.options.text("file"), kTextBytesMax);
  if (text) return args.positional("TEXT");
  return read_stdin(kTextBytesMax);
}

Result<void> explain(const Tokenizer& tokenizer, const std::vector<TokenId>& ids, bool json) {
  Table table({"ID", "KIND", "TEXT"});
  Json::Array rows;
  for (TokenId id : ids) {
    std::string piece = tokenizer.piece(id, true);
    auto kind = std::string(name_of(tokenizer.token_kind(id)));
    if (json)
      rows.push_back(Json::Object{{"id", id}, {"text", piece}, {"kind", kind}});
    else
      table.add({fmt::format("{}", id), kind, Json(piece).dump()});
  }
  return json ? print("{}\n", Json(std::move(rows)).dump()) : write_out(table.text());
}

Result<int> tokenize(const Args& args) {
  auto tokenizer = TRY(tokenizer_of(args.positional("MODEL")));
  std::string text = TRY(text_of(args));
  bool special = !args.options.flag("no-special");
  std::vector<TokenId> ids = tokenizer->encode(text, {.add_special = special,
                                                      .parse_special = special});
  if (args.options.flag("explain")) {
    TRY(explain(*tokenizer, ids, args.options.flag("json")));
  } else {
    TRY(print("{}\n", Json(Json::Array(ids.begin(), ids.end())).dump()));
  }
  return 0;
}

// "[1, 2]", "1,2" or 1 2.
Result<std::vector<TokenId>> ids_of(const Args& args) {
  std::string text = args.positional("IDS");
  if (text.find('[') == std::string::npos) {
    for (char& c : text)
      if (c == ' ' || c == '\n') c = ',';
    text = "[" + text + "]";
  }
  auto json = Json::parse(text);
  if (!json)
    return fail(Code::kUsage, "the ids must be numbers, such as 1 2 3 or \"[1, 2, 3]\"");
  return parse_token_array(*json);
}

Result<int> detokenize(const Args& args) {
  auto tokenizer = TRY(tokenizer_of(args.positional("MODEL")));
  std::vector<TokenId> ids = TRY(ids_of(args));
  for (TokenId id : ids)
    if (id >= tokenizer->size())
      return fail(Code::kInvalid, "token id {} is outside the vocabulary of {}", id,
                  tokenizer->size());
  TRY(print("{}\n", tokenizer->decode(ids, !args.options.flag("no-special"))));
  return 0;
}

constexpr Positional kTokenizePositionals[] = {
    {"MODEL", Positional::Count::kRequired, "a name in the store, a .gguf file or a folder"},
    {"TEXT", Positional::Count::kAny, "the text; without one, --file or stdin"},
};
constexpr OptionRow kTokenizeOptions[] = {
    {.name = "file", .type = OptionType::kPath, .value_name = "FILE",
     .text = "the bytes of a file as they are"},
    {.name = "no-special", .type = OptionType::kFlag,
     .text = "neither add nor recognise special tokens"},
    {.name = "explain", .type = OptionType::kFlag,
     .text = "show each token with its text and kind"},
    kJsonOption,
};
constexpr Positional kDetokenizePositionals[] = {
    {"MODEL", Positional::Count::kRequired, "a name in the store, a .gguf file or a folder"},
    {"IDS", Positional::Count::kMany, "token ids: 1 2 3 or \"[1, 2, 3]\""},
};
constexpr OptionRow kDetokenizeOptions[] = {
    {.name = "no-special", .type = OptionType::kFlag, .text = "leave out special tokens"}};

}  // namespace

extern const Command k_tokenize_command = {
    .name = "tokenize",
    .summary = "turn text into token ids",
    .help = "Prints one JSON array of ids.\n\n"
            "Example:\n  hearth tokenize smollm2 \"Hello world\" --explain\n",
    .positionals = kTokenizePositionals,
    .options = kTokenizeOptions,
    .run = tokenize,
};

extern const Command k_detokenize_command = {
    .name = "detokenize",
    .summary = "turn token ids into text",
    .help = "Example:\n  hearth detokenize smollm2 \"[19556, 905]\"\n",
    .positionals = kDetokenizePositionals,
    .options = kDetokenizeOptions,
    .run = detokenize,
};

}  // namespace hearth
