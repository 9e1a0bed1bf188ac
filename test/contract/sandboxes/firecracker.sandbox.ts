import { testContract } from './contract.ts';

testContract('firecracker');
