using Narad.Kafka.Topics;

namespace Narad.Kafka.Tests.Topics;

/// <summary>Which topic names are legal, and what a wrong one is answered.</summary>
public sealed class TopicNameTests
{
    [Theory]
    [InlineData("a")]
    [InlineData("user-events")]
    [InlineData("Orders.v2_retry-1")]
    [InlineData("...")]
    public void A_legal_name_passes(string name) => TopicName.Validate(name);

    [Fact]
    public void A_name_of_249_characters_passes_and_one_more_does_not()
    {
        TopicName.Validate(new string('a', 249));
        FluentActions.Invoking(() => TopicName.Validate(new string('a', 250))).Should().Throw<ArgumentException>().WithMessage("*249*has 250*");
    }

    [Theory]
    [InlineData("", "must not be empty")]
    [InlineData("  ", "must not be empty")]
    [InlineData(".", "named \".\"")]
    [InlineData("..", "named \"..\"")]
    [InlineData("user events", "the space at position 4*such as \"user-events\"")]
    [InlineData("a/b", "the slash at position 1*such as \"a-b\"")]
    [InlineData("Größe", "'ö' at position 2*such as \"Gr--e\"")]
    [InlineData("a\0b", "U+0000 at position 1*such as \"a-b\"")]
    [InlineData("^user-.*", "pattern")]
    public void An_illegal_name_says_what_is_wrong_and_what_to_write(string name, string message) =>
        FluentActions.Invoking(() => TopicName.Validate(name)).Should().Throw<ArgumentException>().WithParameterName("name").WithMessage($"*{message}*");

    [Fact]
    public void No_name_at_all_is_an_argument_that_is_null()
    {
        string topic = null!;
        FluentActions.Invoking(() => TopicName.Validate(topic)).Should().Throw<ArgumentNullException>().WithParameterName("topic");
        FluentActions.Invoking(() => TopicName.Resolve(new KafkaOptions(), topic)).Should().Throw<ArgumentNullException>().WithParameterName("topic");
    }

    [Fact]
    public void A_logical_name_becomes_the_real_one_once()
    {
        var options = new KafkaOptions { TopicNames = { ["orders"] = "prod.orders", ["prod.orders"] = "never", ["bad"] = "not legal" } };
        TopicName.Resolve(options, "orders").Should().Be("prod.orders");
        TopicName.Resolve(options, "other").Should().Be("other");
        FluentActions.Invoking(() => TopicName.Resolve(options, "bad")).Should().Throw<ArgumentException>()
            .WithMessage("*\"bad\" stands for \"not legal\"*KAFKA_TOPIC_*");
    }
}
