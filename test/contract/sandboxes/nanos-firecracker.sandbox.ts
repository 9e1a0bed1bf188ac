import { testContract } from './contract.ts';

testContract('nanos-firecracker');
