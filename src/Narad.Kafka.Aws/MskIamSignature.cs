using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Narad.Kafka.Aws;

/// <summary>
/// The token of MSK IAM: a presigned request of <c>kafka-cluster:Connect</c> (AWS Signature Version 4), base64url-encoded. Stateless.
/// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html describes the signature.
/// </summary>
internal static class MskIamSignature
{
    private const string Service = "kafka-cluster";

    /// <summary>The presigned address, not encoded yet.</summary>
    public static string Presign(string accessKeyId, string secretKey, string? sessionToken, string region, DateTimeOffset now, TimeSpan life)
    {
        var host = $"kafka.{region}.amazonaws.com";
        var time = now.UtcDateTime.ToString("yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture);
        var day = time[..8];
        var scope = $"{day}/{region}/{Service}/aws4_request";

        // In the order of their names, as the signature wants them.
        var query = string.Create(CultureInfo.InvariantCulture, $"Action={Uri.EscapeDataString("kafka-cluster:Connect")}&X-Amz-Algorithm=AWS4-HMAC-SHA256") +
            string.Create(CultureInfo.InvariantCulture,
                $"&X-Amz-Credential={Uri.EscapeDataString($"{accessKeyId}/{scope}")}&X-Amz-Date={time}&X-Amz-Expires={(int)life.TotalSeconds}") +
            (string.IsNullOrEmpty(sessionToken) ? "" : $"&X-Amz-Security-Token={Uri.EscapeDataString(sessionToken)}") +
            "&X-Amz-SignedHeaders=host";
        var request = $"GET\n/\n{query}\nhost:{host}\n\nhost\n{Hex(SHA256.HashData([]))}";
        var text = $"AWS4-HMAC-SHA256\n{time}\n{scope}\n{Hex(SHA256.HashData(Encoding.UTF8.GetBytes(request)))}";
        var key = Sign(Sign(Sign(Sign(Encoding.UTF8.GetBytes($"AWS4{secretKey}"), day), region), Service), "aws4_request");
        return $"https://{host}/?{query}&X-Amz-Signature={Hex(Sign(key, text))}";
    }

    private static byte[] Sign(byte[] key, string text) => HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(text));

    private static string Hex(byte[] bytes) => Convert.ToHexStringLower(bytes);
}
