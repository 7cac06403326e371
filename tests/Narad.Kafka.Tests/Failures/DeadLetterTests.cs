using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Narad.Kafka.Failures;

namespace Narad.Kafka.Tests.Failures;

/// <summary>What others wrote into a dead-letter topic is shown as far as it makes sense, and sends nothing astray.</summary>
[Trait("Promise", "S25")]
public sealed class DeadLetterTests
{
    private static readonly DateTimeOffset Now = DateTimeOffset.FromUnixTimeMilliseconds(1_800_000_000_000);

    // Names that collide with ours as often as not, and values of every kind.
    private static readonly Gen<MessageHeaders> Headers =
        from headers in Gen.ListOf(
            from name in Gen.Elements(
                "retry", "narad-topic", "narad-partition", "narad-offset", "narad-timestamp", "narad-group", "narad-due", "narad-redriven",
                "narad-exception-type", "narad-exception-message", "narad-exception-stack", "traceparent", "", "größe")
            from value in Gen.OneOf(
                Gen.Constant<byte[]?>(null),
                Gen.Elements<byte[]?>([], [0xFF, 0xFE], [0], [0xC3]),
                Gen.Elements("-1", "0", "7", "99999999999999999999999", "9223372036854775807", "-9223372036854775808", "253402300799999", "253402300800000",
                    "2147483648", "+5", " 5", "٥", "orders", "a.B+TimeoutException")
                    .Select(text => (byte[]?)Encoding.UTF8.GetBytes(text)))
            select (name, value))
        select headers.Aggregate(new MessageHeaders(), (all, header) =>
        {
            all.AddReceived(header.name, header.value);
            return all;
        });

    [Fact]
    public void Whatever_its_headers_say_a_dead_letter_can_be_looked_at_and_filtered() =>
        Check.One(FsCheck.Config.QuickThrowOnFailure.WithMaxTest(1_000), Prop.ForAll(Headers.ToArbitrary(), headers =>
        {
            var letter = Letter(headers);
            letter.SourceTopic?.Should().NotContain("\uFFFD");
            (letter.SourcePartition ?? 0).Should().BeGreaterThanOrEqualTo(0);
            (letter.SourceOffset ?? 0).Should().BeGreaterThanOrEqualTo(0);
            (letter.SourceTime ?? DateTimeOffset.UnixEpoch).Should().BeOnOrAfter(DateTimeOffset.UnixEpoch);
            letter.Attempts.Should().BeGreaterThanOrEqualTo(0);
            letter.ToString().Should().Be("orders-dlt[2]@17");
            _ = (letter.Group, letter.ExceptionMessage, letter.ExceptionStack, letter.Redriven);
            new DeadLetterFilter { ExceptionType = "TimeoutException", Header = "retry", HeaderValue = "7", Group = "orders",
                SourceTopic = "orders" }.Matches(letter)
                .Should().Be(letter.ExceptionType is "a.B+TimeoutException" && letter.Group is "orders" && letter.SourceTopic is "orders"
                    && headers.Any(header => header.Name == "retry" && header.Value is [(byte)'7']));
        }));

    [Fact]
    public void A_redriven_copy_keeps_the_application_s_headers_its_origin_and_one_audit_however_often_it_fails() =>
        Check.One(FsCheck.Config.QuickThrowOnFailure.WithMaxTest(1_000), Prop.ForAll(Headers.ToArbitrary(), sent =>
        {
            var origin = new FailureOrigin("orders", 3, 42, Now.ToUnixTimeMilliseconds(), "billing");
            var application = Plain(sent).Where(header => !header.Name.StartsWith(FailureHeaders.Prefix, StringComparison.OrdinalIgnoreCase)).ToList();
            var dead = FailureHeaders.For(sent, isRetryRecord: false, origin, retry: 3, due: null, new TimeoutException());
            for (var time = 1; time <= 3; time++)
            {
                var again = FailureHeaders.ForRedrive(dead, origin, $"audit {time}", Now);
                Plain(again).Take(application.Count).Should().Equal(application);
                FailureHeaders.OriginOf(again).Should().Be(origin);
                again.Where(header => header.Name == FailureHeaders.Redriven).Should().ContainSingle();
                again.GetText("retry").Should().Be("0");
                again.GetText("narad-due").Should().Be("1800000000000");
                again.Skip(application.Count).Should().NotContain(header => header.Name.StartsWith("narad-exception", StringComparison.Ordinal));

                dead = FailureHeaders.For(again, isRetryRecord: true, origin, retry: 3, due: null, new FormatException());
                Letter(dead).Should().BeEquivalentTo(new { Redriven = $"audit {time}", ExceptionType = typeof(FormatException)
                    .FullName, Group = "billing", SourceOffset = 42L, Attempts = 3 });
                Plain(FailureHeaders.ForEveryGroup(dead, audit: null)).Should().Equal(application);
            }
        }));

    [Fact]
    public void Another_filter_has_another_fingerprint_and_the_same_one_the_same()
    {
        DeadLetterFilter[] filters =
        [
            new() { From = Now }, new() { Until = Now }, new() { ExceptionType = "x" }, new() { Key = "x" }, new() { Key = "" },
                new() { Key = MessageKey.None }, new() { Header = "x" },
            new() { Header = "x", HeaderValue = "" }, new() { Header = "x", HeaderValue = "x" }, new() { Group = "x" }, new() { SourceTopic = "x" },
                new() { Group = "x", SourceTopic = "x" },
        ];
        filters.Select(filter => filter.Fingerprint()).Should().OnlyHaveUniqueItems().And.NotContainNulls();
        filters.Select(filter => (filter with { }).Fingerprint()).Should().Equal(filters.Select(filter => filter.Fingerprint()));
        new DeadLetterFilter().Fingerprint().Should().BeNull();
        new DeadLetterFilter { Where = _ => true }.Fingerprint().Should().BeNull();
        new DeadLetterFilter { From = new DateTimeOffset(2026, 1, 1, 1, 0, 0, TimeSpan.FromHours(1)) }.Fingerprint().Should()
            .Be(new DeadLetterFilter { From = new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero) }.Fingerprint());
    }

    [Fact]
    public async Task A_tombstone_reads_as_null_and_another_deserializer_may_be_named()
    {
        var tombstone = new DeadLetter(new TopicPartitionOffsetId("orders-dlt", 0, 0), Now, "k", value: null, []);
        (await tombstone.ReadAsync<string>()).Should().BeNull();
        tombstone.Value.Should().BeNull();
        var letter = new DeadLetter(new TopicPartitionOffsetId("orders-dlt", 0, 0), Now, "k", [1, 2, 3],
            FailureHeaders.For(new MessageHeaders().Add("a", "b"), false, new FailureOrigin("orders", 1, 2, 3, "billing"), null, null, new TimeoutException()));
        var deserializer = new Recording();
        (await letter.ReadAsync<int[]>(deserializer)).Should().Equal(3);
        deserializer.Seen.Should().BeEquivalentTo(new { Topic = "orders", Partition = 1, Offset = 2L, Group = "billing", Key = MessageKey.From("k"),
            Timestamp = DateTimeOffset.FromUnixTimeMilliseconds(3) });
        deserializer.Seen!.Headers.Should().ContainSingle().Which.Name.Should().Be("a");
    }

    private static DeadLetter Letter(MessageHeaders headers) => new(new TopicPartitionOffsetId("orders-dlt", 2, 17), Now, "k", [1], headers);

    private static List<(string Name, string? Value)> Plain(IEnumerable<MessageHeader> headers) =>
        [.. headers.Select(header => (header.Name, header.Value is null ? null : Convert.ToHexString(header.Value)))];

    private sealed class Recording : IMessageDeserializer
    {
        public MessageContext? Seen { get; private set; }

        public ValueTask<object?> DeserializeAsync(ReadOnlyMemory<byte> data, Type type, MessageContext context, CancellationToken cancellationToken)
        {
            Seen = context;
            return new ValueTask<object?>(new[] { data.Length });
        }
    }
}
