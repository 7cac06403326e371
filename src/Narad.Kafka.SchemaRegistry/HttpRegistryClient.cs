using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Confluent.SchemaRegistry;
using Newtonsoft.Json;
using Newtonsoft.Json.Linq;

namespace Narad.Kafka.SchemaRegistry;

/// <summary>
/// Confluent's client interface over HTTP. Confluent's own client is not used: with an authority of one's own it needs that authority's certificate in what the
/// server sends and does not check the server's name, and it waits and tries again by itself. Of several addresses the next one is asked where one does not
/// answer. Caches nothing. Thread-safe.
/// </summary>
internal sealed class HttpRegistryClient : RegistryClient
{
    private const string MediaType = "application/vnd.schemaregistry.v1+json";
    private const string AddressSetting = "schema.registry.url";
    private const int NoErrorCode = -1;

    private readonly HttpClient _http;
    private readonly string[] _addresses;
    private readonly IAuthenticationHeaderValueProvider _credentials;

    // The address that answered last.
    private volatile int _current;

    public HttpRegistryClient(SchemaRegistryOptions options, IAuthenticationHeaderValueProvider credentials)
    {
        _credentials = credentials;
        _addresses = RegistryAddress.Split(RegistryAddress.WithoutCredentials(options.Url));
        _http = new HttpClient(new SocketsHttpHandler { SslOptions = Tls(options), PooledConnectionLifetime = TimeSpan.FromMinutes(5) })
        {
            Timeout = options.Timeout,
        };
    }

    public override IEnumerable<KeyValuePair<string, string>> Config => [KeyValuePair.Create(AddressSetting, string.Join(',', _addresses))];

    public override IAuthenticationHeaderValueProvider AuthHeaderProvider => _credentials;

    public override async Task<Schema> GetSchemaAsync(int id, string? format = null) =>
        Complete(await SendAsync<Schema>(HttpMethod.Get, string.Create(CultureInfo.InvariantCulture, $"schemas/ids/{id}{Format(format)}"))
            .ConfigureAwait(false));

    public override async Task<Schema> GetSchemaByGuidAsync(string guid, string? format = null) =>
        Complete(await SendAsync<Schema>(HttpMethod.Get, $"schemas/guids/{guid}{Format(format)}").ConfigureAwait(false));

    public override async Task<RegisteredSchema> GetRegisteredSchemaAsync(string subject, int version, bool ignoreDeletedSchemas = true) =>
        Complete(await SendAsync<RegisteredSchema>(
            HttpMethod.Get, string.Create(CultureInfo.InvariantCulture, $"subjects/{Escape(subject)}/versions/{version}?deleted={Text(!ignoreDeletedSchemas)}"))
            .ConfigureAwait(false));

    public override async Task<RegisteredSchema> GetLatestSchemaAsync(string subject) =>
        Complete(await SendAsync<RegisteredSchema>(HttpMethod.Get, $"subjects/{Escape(subject)}/versions/latest").ConfigureAwait(false));

    public override async Task<RegisteredSchema> GetLatestWithMetadataAsync(string subject, IDictionary<string, string> metadata, bool ignoreDeletedSchemas)
    {
        var pairs = string.Join('&', metadata.Select(static entry => $"key={Escape(entry.Key)}&value={Escape(entry.Value)}"));
        return Complete(await SendAsync<RegisteredSchema>(
            HttpMethod.Get, $"subjects/{Escape(subject)}/metadata?{pairs}&deleted={Text(!ignoreDeletedSchemas)}").ConfigureAwait(false));
    }

    public override Task<RegisteredSchema> LookupSchemaAsync(string subject, Schema schema, bool ignoreDeletedSchemas, bool normalize = false) =>
        SendAsync<RegisteredSchema>(
            HttpMethod.Post, $"subjects/{Escape(subject)}?normalize={Text(normalize)}&deleted={Text(!ignoreDeletedSchemas)}", schema);

    public override Task<RegisteredSchema> RegisterSchemaWithResponseAsync(string subject, Schema schema, bool normalize = false) =>
        SendAsync<RegisteredSchema>(HttpMethod.Post, $"subjects/{Escape(subject)}/versions?normalize={Text(normalize)}", schema);

    public override async Task<bool> IsCompatibleAsync(string subject, Schema schema)
    {
        var answer = await SendAsync<JObject>(HttpMethod.Post, $"compatibility/subjects/{Escape(subject)}/versions/latest", schema).ConfigureAwait(false);
        return (bool?)answer["is_compatible"] ?? throw new FormatException("There is no is_compatible in the answer.");
    }

    public override Task<List<string>> GetAllSubjectsAsync() => SendAsync<List<string>>(HttpMethod.Get, "subjects");

    public override Task<List<int>> GetSubjectVersionsAsync(string subject) => SendAsync<List<int>>(HttpMethod.Get, $"subjects/{Escape(subject)}/versions");

    public override async Task<Compatibility> GetCompatibilityAsync(string? subject = null) =>
        (await SendAsync<ServerConfig>(HttpMethod.Get, ConfigOf(subject)).ConfigureAwait(false)).CompatibilityLevel;

    public override async Task<Compatibility> UpdateCompatibilityAsync(Compatibility compatibility, string? subject = null) =>
        (await SendAsync<ServerConfig>(HttpMethod.Put, ConfigOf(subject), new ServerConfig(compatibility)).ConfigureAwait(false)).CompatibilityLevel;

    public override Task<List<Association>> GetAssociationsByResourceNameAsync(
        string resourceName, string resourceNamespace, string resourceType, List<string> associationTypes, string lifecycle, int offset, int limit)
    {
        var query = string.Join('&', (associationTypes ?? []).Select(static type => $"associationType={Escape(type)}")
            .Append($"resourceType={Escape(resourceType)}"));
        return SendAsync<List<Association>>(HttpMethod.Get, $"associations/resources/{Escape(resourceNamespace)}/{Escape(resourceName)}?{query}");
    }

    public override void Dispose() => _http.Dispose();

    /// <summary>The setting whose file cannot be used and why; null where both can.</summary>
    public static (string Setting, string Reason)? FileError(SchemaRegistryOptions options)
    {
        var setting = nameof(options.Ca);
        try
        {
            if (options.Ca is not null)
            {
                var found = new X509Certificate2Collection();
                found.ImportFromPemFile(options.Ca);
                if (found.Count == 0)
                {
                    return (setting, "it has no certificate in PEM format");
                }
            }

            setting = nameof(options.Certificate);
            if (options.Certificate is not null)
            {
                X509CertificateLoader.LoadPkcs12FromFile(options.Certificate, options.CertificatePassword).Dispose();
            }

            return null;
        }
        catch (Exception error) when (error is CryptographicException or IOException or UnauthorizedAccessException)
        {
            return (setting, error.Message.TrimEnd('.'));
        }
    }

    private static SslClientAuthenticationOptions Tls(SchemaRegistryOptions options)
    {
        var tls = new SslClientAuthenticationOptions();
        if (!options.RejectUnauthorized)
        {
            tls.RemoteCertificateValidationCallback = static (_, _, _, _) => true;   // only in the environment Development
        }
        else if (options.Ca is { } authority)
        {
            tls.CertificateChainPolicy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
            tls.CertificateChainPolicy.CustomTrustStore.ImportFromPemFile(authority);
        }

        if (options.Certificate is { } certificate)
        {
            tls.ClientCertificates = [X509CertificateLoader.LoadPkcs12FromFile(certificate, options.CertificatePassword)];
        }

        return tls;
    }

    private async Task<T> SendAsync<T>(HttpMethod method, string path, object? body = null)
    {
        var first = _current;
        for (var tried = 1; ; tried++)
        {
            var index = (first + tried - 1) % _addresses.Length;
            var isLast = tried == _addresses.Length;
            try
            {
                using var request = Request(method, $"{_addresses[index]}/{path}", body);
                using var response = await _http.SendAsync(request).ConfigureAwait(false);
                var text = await response.Content.ReadAsStringAsync().ConfigureAwait(false);
                if (response.StatusCode >= HttpStatusCode.InternalServerError && !isLast)
                {
                    continue;
                }

                _current = index;
                return response.IsSuccessStatusCode
                    ? JsonConvert.DeserializeObject<T>(text) ?? throw new FormatException("There is nothing in the answer.")
                    : throw Refusal(response, text);
            }
            catch (Exception error) when (!isLast && (error is OperationCanceledException or (HttpRequestException and not SchemaRegistryException)))
            {
                // The next one is asked.
            }
        }
    }

    private HttpRequestMessage Request(HttpMethod method, string address, object? body)
    {
        var request = new HttpRequestMessage(method, address);
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue(MediaType));
        request.Headers.Authorization = _credentials.GetAuthenticationHeader();
        if (_credentials is IAuthenticationBearerHeaderValueProvider cloud)
        {
            request.Headers.Add("target-sr-cluster", cloud.GetLogicalCluster());
            if (cloud.GetIdentityPool() is { Length: > 0 } pool)
            {
                request.Headers.Add("Confluent-Identity-Pool-Id", pool);
            }
        }

        if (body is not null)
        {
            request.Content = new StringContent(JsonConvert.SerializeObject(body), Encoding.UTF8, new MediaTypeHeaderValue(MediaType));
        }

        return request;
    }

    private static SchemaRegistryException Refusal(HttpResponseMessage response, string text)
    {
        try
        {
            var answer = JObject.Parse(text);
            return new SchemaRegistryException((string?)answer["message"] ?? "", response.StatusCode, (int?)answer["error_code"] ?? NoErrorCode);
        }
        catch (Exception error) when (error is JsonException or ArgumentException or FormatException)
        {
            return new SchemaRegistryException(response.ReasonPhrase ?? "", response.StatusCode, NoErrorCode);
        }
    }

    // Lists that are not in the answer are empty.
    private static T Complete<T>(T schema)
        where T : Schema
    {
        schema.References ??= [];
        return schema;
    }

    private static string ConfigOf(string? subject) => string.IsNullOrEmpty(subject) ? "config" : $"config/{Escape(subject)}";

    private static string Escape(string? text) => Uri.EscapeDataString(text ?? "");

    private static string Format(string? format) => format is null ? "" : $"?format={Escape(format)}";

    private static string Text(bool value) => value ? "true" : "false";
}
