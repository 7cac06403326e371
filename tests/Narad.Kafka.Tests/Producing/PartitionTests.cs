using System.Buffers.Binary;
using System.Text;

namespace Narad.Kafka.Tests.Producing;

/// <summary>The partition of a key is the Java client's.</summary>
public sealed class PartitionTests
{
    // Kafka's own test vectors (org.apache.kafka.common.utils.UtilsTest.testMurmur2).
    [Theory]
    [InlineData("21", -973932308)]
    [InlineData("foobar", -790332482)]
    [InlineData("a-little-bit-long-string", -985981536)]
    [InlineData("a-little-bit-longer-string", -1486304829)]
    [InlineData("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971)]
    public void The_tests_own_murmur2_is_the_Java_clients(string key, int hash) => Murmur2(Encoding.UTF8.GetBytes(key)).Should().Be(hash);

    [SkippableTheory, Trait("Promise", "S5")]
    [InlineData("Embedded", 1)]
    [InlineData("Embedded", 3)]
    [InlineData("Embedded", 7)]
    [InlineData("Embedded", 12)]
    [InlineData("Kafka", 7)]
    [Trait("Trap", "partitioner")]
    public async Task Keys_go_where_the_Java_client_sends_them(string where, int partitions)
    {
        await using var sending = await Sending.ConnectAsync(where, options => options.TopicPartitions = partitions);
        var topic = Sending.NewTopic();
        MessageKey[] keys =
        [
            "", Array.Empty<byte>(), "21", "foobar", "a-little-bit-long-string", "käse", 0, 1, -1, int.MaxValue, 0L, 42L, long.MinValue,
            .. Enumerable.Range(0, 100).Select(i => (MessageKey)$"user-{i}"),
            .. Enumerable.Range(0, 100).Select(i => (MessageKey)i),
        ];

        foreach (var key in keys)
        {
            var sent = await sending.SendAsync(topic, "m", key);
            sent.Partition.Should().Be((Murmur2(key.ToBytes()!) & 0x7fffffff) % partitions, $"of key {key}");
        }
    }

    [SkippableTheory, Trait("Promise", "S5")]
    [InlineData("Embedded")]
    [InlineData("Kafka")]
    [Trait("Trap", "partitioner")]
    public async Task Messages_without_a_key_are_spread_over_the_partitions_and_a_named_partition_is_kept(string where)
    {
        await using var sending = await Sending.ConnectAsync(where, options =>
        {
            options.TopicPartitions = 4;
            options.Linger = TimeSpan.Zero;
        });
        var topic = Sending.NewTopic();
        var seen = new HashSet<int>();
        for (var i = 0; i < 300 && seen.Count < 4; i++)
        {
            seen.Add((await sending.SendAsync(topic, "m")).Partition);
        }

        seen.Should().BeEquivalentTo([0, 1, 2, 3]);
        for (var partition = 0; partition < 4; partition++)
        {
            (await sending.SendAsync(topic, "m", "one key", new SendOptions { Partition = partition })).Partition.Should().Be(partition);
        }
    }

    // Written from the description of MurmurHash2 (32 bit, seed 0x9747b28c), as Java's signed arithmetic has it.
    private static int Murmur2(ReadOnlySpan<byte> data)
    {
        unchecked
        {
            const uint M = 0x5bd1e995;
            var hash = 0x9747b28cu ^ (uint)data.Length;
            while (data.Length >= 4)
            {
                var k = BinaryPrimitives.ReadUInt32LittleEndian(data) * M;
                k = (k ^ (k >> 24)) * M;
                hash = (hash * M) ^ k;
                data = data[4..];
            }

            if (data.Length > 0)
            {
                for (var i = data.Length - 1; i >= 0; i--)
                {
                    hash ^= (uint)data[i] << (8 * i);
                }

                hash *= M;
            }

            hash = (hash ^ (hash >> 13)) * M;
            return (int)(hash ^ (hash >> 15));
        }
    }
}
