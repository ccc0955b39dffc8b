// A seed gives one text: however many threads compute, in whatever steps the prompt is read, how
// many answers come beside it and what the session did before. 16 runs, at full length 1,000.
#include <map>
#include <random>

#include "engine/tiny_session.h"
#include "support/long.h"

namespace hearth {
namespace {

using SeedTest = TinySession;

TEST_F(SeedTest, OneTextWhateverElseRuns) {
  const auto runs = test::at_length<int64_t>(1000, 16);
  SamplingParams p{.temperature = 1.2, .top_k = 0, .top_p = 0.95, .seed = 11, .max_tokens = 18,
                   .ignore_eos = true};
  p.xtc_probability = 0.3, p.dry_multiplier = 0.5, p.repeat_penalty = 1.1;
  p.overflow = "slide";
  const std::vector<TokenId> prompt = some_tokens(75);
  constexpr int64_t kContext = 90;  // so that answers slide
  std::mt19937 random(3);
  for (const char* name : {"llama", "gemma3"}) {
    load(name);
    std::map<size_t, std::vector<TokenId>> wanted;  // per answer
    std::string text;
    for (int64_t run = 0; run < runs / 2; ++run) {
      Runner runner(model_, RunnerOptions{.precision = Precision::kExact,
                                          .threads = 1 + static_cast<int>(run % 4)});
      const auto chunk = static_cast<int64_t>(1 + random() % 80);
      Session session = *Session::create(runner, tokenizer_, kContext, KvType::kF32, chunk);
      if (random() % 2 != 0) {
        std::vector<TokenId> before(prompt.begin(), prompt.begin() + random() % 75);
        before.push_back(static_cast<TokenId>(random() % 270));
        SamplingParams other = p;
        other.seed = run, other.max_tokens = static_cast<int64_t>(random() % 8);
        ASSERT_TRUE(session.generate(before, other, {}));
      }
      p.n = 1 + static_cast<int64_t>(random() % 5);
      auto got = session.complete(prompt, p, {});
      ASSERT_TRUE(got) << got.error().message;
      if (run == 0) text = got->choices[0].text;
      EXPECT_EQ(got->choices[0].text, text);
      EXPECT_GT(got->choices[0].dropped_tokens, 0);
      for (size_t i = 0; i < got->choices.size(); ++i) {
        auto [known, is_new] = wanted.try_emplace(i, got->choices[i].tokens);
        ASSERT_EQ(got->choices[i].tokens, known->second)
            << name << ", run " << run << ", answer " << i << ", chunk " << chunk;
      }
    }
    ASSERT_GE(wanted.size(), 2u);
    EXPECT_NE(wanted[0], wanted[1]);
  }
}

}  // namespace
}  // namespace hearth
