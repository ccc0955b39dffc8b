// hearth logits: the logits at every position of a sequence, as a .npy file.
#include <fmt/format.h>

#include "base/file.h"
#include "cli/engine.h"
#include "cli/terminal.h"

namespace hearth {
namespace {

// The header of numpy's format 1.0, padded so that data begins at a multiple of 64.
std::string npy_header(int64_t rows, int64_t cols) {
  std::string dict = fmt::format(
      "{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}", rows, cols);
  size_t unpadded = 10 + dict.size() + 1;
  dict.append((64 - unpadded % 64) % 64, ' ').push_back('\n');
  std::string out("\x93NUMPY\x01\x00", 8);
  out += static_cast<char>(dict.size() & 0xFF);
  out += static_cast<char>(dict.size() >> 8);
  return out + dict;
}

Result<int> logits(const Args& args) {
  std::vector<TokenId> tokens = TRY(read_token_file(args.options.text("tokens")));
  if (tokens.empty()) return fail(Code::kInvalid, "there are no tokens");
  Engine engine = TRY(load_engine(args.positional("MODEL"), args.options, false));
  auto count = static_cast<int64_t>(tokens.size());
  auto chunk = static_cast<size_t>(args.options.integer("chunk", count));
  auto cache = TRY(KvCache::create(engine.model->program, engine.kv, count));
  SequenceId sequence = cache->add_sequence();
  AtomicFile file = TRY(AtomicFile::create(args.options.text("out")));
  std::string header = npy_header(count, engine.model->config.vocab);
  TRY(file.write(std::as_bytes(std::span(header))));
  Result<void> written;
  for (size_t at = 0; at < tokens.size(); at += chunk) {
    auto part = std::span(tokens).subspan(at, std::min(chunk, tokens.size() - at));
    Batch batch;
    batch.add(sequence, static_cast<int32_t>(at), part, true);
    TRY(engine.runner->forward(
        batch, *cache, [&](int64_t, int64_t rows, const float* values, int64_t stride) {
          if (written)
            written = file.write(
                std::as_bytes(std::span(values, static_cast<size_t>(rows * stride))));
        }));
    TRY(std::move(written));
    written = {};
  }
  TRY(file.commit());
  return 0;
}

constexpr Positional kPositionals[] = {
    {"MODEL", Positional::Count::kRequired, "a name in the store, a .gguf file or a folder"}};
constexpr OptionRow kTokensRow = {.name = "tokens", .type = OptionType::kPath,
                                  .value_name = "FILE", .text = "a JSON array of token ids"};
constexpr OptionRow kOptions[] = {
    kTokensRow,
    {.name = "out", .type = OptionType::kPath, .value_name = "FILE",
     .text = "where to write: float32 (tokens, vocabulary)"},
    {.name = "chunk", .type = OptionType::kInt, .min = 1, .max = 1 << 24, .value_name = "N",
     .text = "tokens per step (default: all); no N changes a bit"},
    kPrecisionOption, kKvOption, kThreadsOption,
};

Result<int> checked_logits(const Args& args) {
  if (!args.options.has("tokens") || !args.options.has("out"))
    return fail(Code::kUsage, "both --tokens FILE and --out FILE are needed");
  return logits(args);
}

}  // namespace

extern const Command k_logits_command = {
    .name = "logits",
    .summary = "write the logits at every position to a .npy file",
    .help = "Example:\n  hearth logits smollm2 --tokens ids.json --out logits.npy "
            "--precision exact\n",
    .positionals = kPositionals,
    .options = kOptions,
    .run = checked_logits,
};

}  // namespace hearth
